"""A token server on this machine, and the key file of a service account that names it: for clients
that insist on credentials where nobody looks at them."""
import http.server
import json
import subprocess
import threading


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):  # pylint: disable=invalid-name
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.granted += 1
        body = json.dumps({"access_token": f"token-{self.server.granted}", "token_type": "Bearer",
                           "expires_in": 3600}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


class TokenServer:
    """Gives whoever asks a token that is good for an hour."""

    def __init__(self, run):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.granted = 0
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        run.at_end(self._close)
        done = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, timeout=60)
        self.key_file = run.write("account.json", json.dumps({
            "type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": done.stdout,
            "client_email": "backups@p.iam.gserviceaccount.com", "client_id": "1",
            "token_uri": f"http://127.0.0.1:{self._server.server_address[1]}/token"}), 0o600)

    def _close(self):
        self._server.shutdown()
        self._server.server_close()

    @property
    def granted(self):
        """How many tokens so far."""
        return self._server.granted

    def environment(self):
        return {"GOOGLE_APPLICATION_CREDENTIALS": self.key_file}

"""An HTTP proxy with or without a password: tunnels for https (CONNECT), forwards for http."""
import base64
import http.client
import http.server
import socket
import ssl
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass

    def is_allowed(self):
        wanted = self.server.credentials
        if wanted is None or self.headers.get("Proxy-Authorization") == "Basic " + wanted:
            return True
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        return False

    def do_CONNECT(self):  # pylint: disable=invalid-name
        if not self.is_allowed():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as target:
            self.send_response(200)
            self.end_headers()
            self.server.tunnels += 1
            back = threading.Thread(target=self.copy, args=(target, self.connection), daemon=True)
            back.start()
            self.copy(self.connection, target)
            back.join(20)
        self.close_connection = True

    @staticmethod
    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def forward(self):
        """To the one server that is behind it, over TLS."""
        if not self.is_allowed():
            return
        asked = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        behind = http.client.HTTPSConnection(self.server.behind, timeout=20, context=self.server.context)
        headers = {name: value for name, value in self.headers.items()
                   if not name.lower().startswith("proxy-") and name.lower() != "host"}
        behind.request(self.command, asked._replace(scheme="", netloc="").geturl(), body, headers)
        answer = behind.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.server.forwarded += 1

    do_GET = do_POST = do_PUT = do_DELETE = forward  # pylint: disable=invalid-name


class Proxy:
    def __init__(self, behind, trusted, password=None):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.behind, self.server.context = behind, ssl.create_default_context(cafile=trusted)
        self.server.credentials = base64.b64encode(password.encode()).decode() if password else None
        self.server.tunnels = self.server.forwarded = 0
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self.server

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

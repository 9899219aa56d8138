"""Certificates and passwords of a shard in which nothing is open: etcd and tablets demand both."""
import json
import os
import subprocess
import time

from vtharness import wire


def _openssl(*words):
    done = subprocess.run(["openssl", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


class Authority:
    """Signs certificates for 127.0.0.1, valid as server and as client."""

    def __init__(self, run, name):
        self._run, self._name, self._folder = run, name, run.folder("tls")
        self.certificate, self._key = self._path(f"{name}.crt"), self._path(f"{name}.key")
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-days", "2", "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate)

    def _path(self, name):
        return os.path.join(self._folder, name)

    def _sign(self, request, made, seconds):
        """`x509 -req` counts in days; `ca` wants its books."""
        folder = self._run.folder("tls", "short")
        config, index = os.path.join(folder, "ca.cnf"), os.path.join(folder, "index")
        with open(index, "w", encoding="ascii"), open(config, "w", encoding="ascii") as file:
            file.write(f"[ca]\ndatabase = {index}\nnew_certs_dir = {folder}\nrand_serial = yes\n"
                       f"default_md = sha256\npolicy = any\ncopy_extensions = copy\n"
                       f"certificate = {self.certificate}\nprivate_key = {self._key}\n"
                       "[any]\ncommonName = supplied\n")
        end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
        _openssl("ca", "-config", config, "-name", "ca", "-batch", "-notext", "-in", request, "-out", made,
                 "-enddate", end)

    def issue(self, name, subject=None, seconds=None):
        """Writes NAME.crt and NAME.key, over those that are there; their paths. `seconds`: how long it
        is valid, instead of days."""
        request, made = self._path(f"{name}.csr"), self._path(f"{name}.new")
        certificate, key = self._path(f"{name}.crt"), self._path(f"{name}.key")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                 subject or f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout",
                 f"{made}.key", "-out", request)
        if seconds is not None:
            self._sign(request, made, seconds)
        else:
            _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                     "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", made)
        self._run.user.give(f"{made}.key")
        os.replace(f"{made}.key", key)
        os.replace(made, certificate)
        return certificate, key

    def revoke(self, *certificates, into="revoked"):
        """Puts them on the list of that name, which is made when there is none; its path."""
        config, index = self._path(f"{into}.cnf"), self._path(f"{into}.index")
        made, final = self._path(f"{into}.new"), self._path(f"{into}.crl")
        with open(index, "a", encoding="ascii"), open(config, "w", encoding="ascii") as file:
            file.write(f"[ca]\ndatabase = {index}\ndefault_md = sha256\ncrl_extensions = list\n"
                       f"certificate = {self.certificate}\nprivate_key = {self._key}\n"
                       "[list]\nauthorityKeyIdentifier = keyid\n")  # version 2: Go reads no other
        for certificate in certificates:
            _openssl("ca", "-config", config, "-name", "ca", "-batch", "-revoke", certificate)
        _openssl("ca", "-config", config, "-name", "ca", "-gencrl", "-crldays", "1", "-out", made)
        os.replace(made, final)
        return final


class Security:
    """Mutual TLS to etcd and tablets, a user and a password for every call of a tablet."""

    def __init__(self, run, user=("operator", "correct-horse-7")):
        self._run, self.user = run, user
        self.authority, etcd = Authority(run, "authority"), Authority(run, "etcd-authority")
        self.trusted, self.etcd_trusted = self.authority.certificate, etcd.certificate
        self.certificate, self.key = self.authority.issue("tablet")
        self.revoked = self.authority.revoke()
        self._etcd_server, self._etcd_client = etcd.issue("etcd"), etcd.issue("etcd-client")
        self.set_users([user])
        self.client_file = run.write("client.json", json.dumps(
            {"Username": user[0], "Password": user[1]}), 0o600)

    def set_users(self, users):
        """Whom the tablets let in."""
        text = json.dumps([{"Username": name, "Password": password} for name, password in users])
        made = self._run.write("users.new", text, 0o600)
        self.users_file = os.path.join(self._run.directory, "users.json")
        os.replace(made, self.users_file)

    def credentials(self):
        return wire.credentials(self.trusted, self.certificate, self.key)

    def etcd_credentials(self):
        return wire.credentials(self.etcd_trusted, *self._etcd_client)

    def channel(self):
        """How the tests call a tablet."""
        return {"tls": self.credentials, "user": self.user}

    def etcd_flags(self):
        return ["--cert-file", self._etcd_server[0], "--key-file", self._etcd_server[1],
                "--client-cert-auth", "--trusted-ca-file", self.etcd_trusted]

    def topology_flags(self):
        certificate, key = self._etcd_client
        return [f"--topo-etcd-tls-cert={certificate}", f"--topo-etcd-tls-key={key}",
                f"--topo-etcd-tls-ca={self.etcd_trusted}"]

    def client_flags(self):
        return [f"--tablet-manager-grpc-cert={self.certificate}",
                f"--tablet-manager-grpc-key={self.key}", f"--tablet-manager-grpc-ca={self.trusted}",
                f"--tablet-manager-grpc-crl={self.revoked}",
                f"--grpc-auth-static-client-creds={self.client_file}"]

    def agent_flags(self):
        return [*self.client_flags(), f"--grpc-cert={self.certificate}", f"--grpc-key={self.key}",
                f"--grpc-ca={self.trusted}", f"--grpc-crl={self.revoked}", "--grpc-auth-mode=static",
                f"--grpc-auth-static-password-file={self.users_file}"]

"""gRPC from Python: messages generated from proto/ into a temporary folder, calls by name."""
import atexit
import functools
import importlib
import os
import shutil
import subprocess
import sys
import tempfile

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
import grpc  # noqa: E402  pylint: disable=wrong-import-position

from vtharness.run import TOP  # noqa: E402  pylint: disable=wrong-import-position

RpcError = grpc.RpcError
Code = grpc.StatusCode
_OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 64 << 20),
            ("grpc.max_send_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1)]


@functools.lru_cache(maxsize=None)
def _generated():
    folder = tempfile.mkdtemp(prefix="vta-proto-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    protos = sorted(name for name in os.listdir(f"{TOP}/proto") if name.endswith(".proto"))
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{TOP}/proto",
                    f"--python_out={folder}", *protos], check=True)
    sys.path.insert(0, folder)
    return folder


@functools.lru_cache(maxsize=None)
def module(name):
    """The generated module of proto/<name>.proto."""
    _generated()
    return importlib.import_module(f"{name}_pb2")


def message(file, name):
    return getattr(module(file), name)


@functools.lru_cache(maxsize=None)
def _method(service_file, service, method):
    described = module(service_file).DESCRIPTOR.services_by_name[service].methods_by_name[method]
    path = f"/{described.containing_service.full_name}/{method}"
    # pylint: disable=protected-access
    return path, described.input_type._concrete_class, described.output_type._concrete_class


def credentials(authority, certificate=None, key=None):
    """Of a TLS client, from the files' present contents."""
    def text(path):
        if path is None:
            return None
        with open(path, "rb") as file:
            return file.read()
    return grpc.ssl_channel_credentials(text(authority), text(key), text(certificate))


class Channel:
    """One kept connection; `tls` makes the credentials when it connects, `user` is (name, password)."""

    def __init__(self, target, tls=None, user=None):
        self._channel = grpc.secure_channel(target, tls(), options=_OPTIONS) if tls else (
            grpc.insecure_channel(target, options=_OPTIONS))
        self._metadata = (("username", user[0]), ("password", user[1])) if user else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._channel.close()

    def unary(self, path, request, response_class, timeout):
        call = self._channel.unary_unary(path, request_serializer=lambda sent: sent.SerializeToString(),
                                         response_deserializer=response_class.FromString)
        return call(request, timeout=timeout, wait_for_ready=False, metadata=self._metadata)

    def raw(self, path, body, timeout):
        """Bytes in, bytes out: for what the stubs would not send."""
        return self._channel.unary_unary(path)(body, timeout=timeout, metadata=self._metadata)

    def future(self, path, request, response_class, timeout):
        call = self._channel.unary_unary(path, request_serializer=lambda sent: sent.SerializeToString(),
                                         response_deserializer=response_class.FromString)
        return call.future(request, timeout=timeout, metadata=self._metadata)

    def stream(self, path, request, response_class, timeout):
        call = self._channel.unary_stream(path,
                                          request_serializer=lambda sent: sent.SerializeToString(),
                                          response_deserializer=response_class.FromString)
        return call(request, timeout=timeout, metadata=self._metadata)


class Service:
    """A service's methods by name: service.call("Ping", payload="x")."""

    def __init__(self, target, file, name, **security):
        self.target, self._file, self._name, self._security = target, file, name, security
        self.channel = Channel(target, **security)

    def close(self):
        self.channel.close()

    def reconnect(self):
        """A fresh connection: after the other side was restarted."""
        self.channel.close()
        self.channel = Channel(self.target, **self._security)

    def methods(self):
        return sorted(module(self._file).DESCRIPTOR.services_by_name[self._name].methods_by_name)

    def call(self, method, timeout=60, request=None, **fields):
        path, request_class, response_class = _method(self._file, self._name, method)
        return self.channel.unary(path, request or request_class(**fields), response_class, timeout)

    def future(self, method, timeout=60, **fields):
        path, request_class, response_class = _method(self._file, self._name, method)
        return self.channel.future(path, request_class(**fields), response_class, timeout)

    def stream(self, method, timeout=300, **fields):
        path, request_class, response_class = _method(self._file, self._name, method)
        return self.channel.stream(path, request_class(**fields), response_class, timeout)

    def events(self, method, timeout=300, **fields):
        """A stream of logutil events to its end: their texts. RpcError when it ends badly."""
        return [answer.event.value for answer in self.stream(method, timeout, **fields)]


def tablet_manager(port, **security):
    return Service(f"127.0.0.1:{port}", "tabletmanagerservice", "TabletManager", **security)


def agent(port, **security):
    return Service(f"127.0.0.1:{port}", "vtagent_agent", "Agent", **security)


def mysqlctl(socket_path):
    return Service(f"unix:{socket_path}", "mysqlctl", "MysqlCtl")


def supervisor(socket_path):
    return Service(f"unix:{socket_path}", "vtagent_supervisor", "Supervisor")


def health(port):
    return Service(f"127.0.0.1:{port}", "grpc_health", "Health")

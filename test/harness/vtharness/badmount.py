"""A mount that misbehaves on demand: a FUSE file system over an ordinary folder, which speaks the
kernel's protocol itself. A process of its own serves it, so that what hangs in it holds up nobody else:

  with BadMount(folder_of_the_data, mount_point) as mount:
      mount.set("sync", "EIO")         every fsync fails, until clear()
      mount.set("write", "hang")       writes do not return, until clear()
      mount.set("write", "lose", after=3)

Operations: lookup list create write sync flush rename read remove mkdir (flush is what close() asks). What happens to them: an errno's name, "hang", "slow" (0.2 s each), "lose" (a write that is
acknowledged and forgotten), "torn" (a rename that is done with half of the file, and fails), "twice" (done, and then answered as if it had been sent a second time). Only root can mount."""
import contextlib
import ctypes
import errno
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
UMOUNT_FORCE, MNT_DETACH = 1, 2
LOOKUP, FORGET, GETATTR, SETATTR, READLINK, MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK = (
    1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13)
OPEN, READ, WRITE, STATFS, RELEASE, FSYNC = 14, 15, 16, 17, 18, 20
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR = 25, 26, 27, 28, 29, 30
ACCESS, CREATE, INTERRUPT, DESTROY, BATCH_FORGET, RENAME2, FALLOCATE = 34, 35, 36, 38, 42, 45, 43
NAMES = {LOOKUP: "lookup", READDIR: "list", OPENDIR: "list", CREATE: "create", WRITE: "write", FSYNC: "sync",
         FLUSH: "flush", RENAME: "rename", RENAME2: "rename", READ: "read", UNLINK: "remove", RMDIR: "remove",
         MKDIR: "mkdir", LINK: "link", STATFS: "statfs", OPEN: "open", FSYNCDIR: "syncdir"}
BIG_WRITES, MAX_PAGES, DIRECT_IO = 1 << 5, 1 << 22, 1
MOST_BYTES = 1 << 20
SLOW_SECONDS = 0.2


def attributes(status, inode):
    return struct.pack("<QQQQQQIIIIIIIIII", inode, status.st_size, status.st_blocks, int(status.st_atime),
                       int(status.st_mtime), int(status.st_ctime), 0, 0, 0, status.st_mode, status.st_nlink,
                       status.st_uid, status.st_gid, 0, 4096, 0)


def name_of(body):
    return body.split(b"\0", 1)[0]


class Server:
    """The process that serves the mount. One request after the other, but for those that hang."""

    def __init__(self, folder, point, control):
        self.control, self.orders, self.counts = control, {}, {}
        self.cache_seconds = 0
        self.paths, self.inodes, self.handles, self.next_handle = {1: folder}, {folder: 1}, {}, 1
        self.lock = threading.Lock()
        self.waiting = []
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40755,user_id=0,group_id=0,allow_other,default_permissions"
        if LIBC.mount(b"bad", point.encode(), b"fuse.bad", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount")

    # ---- the kernel's side ----
    def reply(self, unique, error, data=b""):
        with contextlib.suppress(OSError):  # an interrupted or aborted one is not awaited any more
            os.write(self.device, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)

    def serve(self):
        threading.Thread(target=self.obey, daemon=True).start()
        while True:
            try:
                request = os.read(self.device, MOST_BYTES + (1 << 16))
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    continue
                return  # unmounted
            _, opcode, unique, node, uid, gid, _, _ = struct.unpack_from("<IIQQIIII", request)
            if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            self.dispatch(opcode, unique, node, (uid, gid), request[40:])

    def dispatch(self, opcode, unique, node, owner, body):
        order = self.order_for(opcode, body)
        if order == "hang":
            with self.lock:
                self.waiting.append((opcode, unique, node, owner, body))
            return
        if order == "slow":
            time.sleep(SLOW_SECONDS)
            order = None
        if order is not None and hasattr(errno, order):
            if order == "ENOSPC" and opcode == WRITE:
                self.do_half(node, body)
            self.reply(unique, getattr(errno, order))
            return
        self.answer(opcode, unique, node, owner, body, order)

    def order_for(self, opcode, body):
        name = NAMES.get(opcode)
        with self.lock:
            order = self.orders.get(name)
            if order is None:
                return None
            if order.get("only") and order["only"].encode() not in body:
                return None
            order["after"] -= 1
            if order["after"] >= 0:
                return None
            if order["times"] > 0:
                order["times"] -= 1
                if order["times"] == 0:
                    del self.orders[name]
            self.counts[name] = self.counts.get(name, 0) + 1
            return order["what"]

    def answer(self, opcode, unique, node, owner, body, order):
        handler = HANDLERS.get(opcode)
        if handler is None:
            self.reply(unique, errno.ENOSYS)
            return
        try:
            data = handler(self, node, owner, body, order)
        except OSError as error:
            self.reply(unique, error.errno)
            return
        except KeyError:
            self.reply(unique, errno.ESTALE)
            return
        self.reply(unique, 0, data)

    # ---- the test's side: one JSON object a line, answered by one ----
    def obey(self):
        for line in self.control:
            command = json.loads(line)
            with self.lock:
                if command["do"] == "set":
                    self.orders[command["operation"]] = dict(command)
                elif command["do"] == "clear":
                    self.orders.clear()
                elif command["do"] == "cache":
                    self.cache_seconds = command["seconds"]
                freed, counts, waiting = [], dict(self.counts), len(self.waiting)
                if command["do"] == "clear":
                    freed, self.waiting = self.waiting, []
            print(json.dumps({"counts": counts, "waiting": waiting}), flush=True)
            for request in freed:
                self.answer(*request, None)

    # ---- files ----
    def path(self, node):
        return self.paths[node]

    def child(self, node, body):
        return os.path.join(self.paths[node], name_of(body).decode())

    def entry(self, path):
        status = os.lstat(path)
        inode = self.inodes.get(path)
        if inode is None:
            inode = status.st_ino + 1000  # links share one, as they must
            self.inodes[path] = inode
        self.paths[inode] = path
        return (struct.pack("<QQQQII", inode, 0, self.cache_seconds, 0, 0, 0) + attributes(status, inode))

    def lookup(self, node, _owner, body, _order):
        path = self.child(node, body)
        if self.cache_seconds and not os.path.lexists(path):
            return struct.pack("<QQQQII", 0, 0, self.cache_seconds, 0, 0, 0) + bytes(88)
        return self.entry(path)

    def getattr(self, node, _owner, _body, _order):
        return struct.pack("<QII", 0, 0, 0) + attributes(os.lstat(self.path(node)), node)

    def setattr(self, node, _owner, body, _order):
        (valid, _, _, size, _, _, _, _, _, _, _, _, mode, _, uid, gid, _) = struct.unpack_from(
            "<IIQQQQQQIIIIIIIII", body)
        path = self.path(node)
        if valid & 1:
            os.chmod(path, stat.S_IMODE(mode))
        if valid & 6:
            os.lchown(path, uid if valid & 2 else -1, gid if valid & 4 else -1)
        if valid & 8:
            os.truncate(path, size)
        return self.getattr(node, _owner, b"", None)

    def mkdir(self, node, owner, body, order):
        mode, umask = struct.unpack_from("<II", body)
        path = self.child(node, body[8:])
        os.mkdir(path)
        os.chmod(path, mode & ~umask & 0o7777)
        os.lchown(path, *owner)
        if order == "twice":
            raise OSError(errno.EEXIST, "sent twice")
        return self.entry(path)

    def forget(self, path):
        inode = self.inodes.pop(path, None)
        if inode is not None and self.paths.get(inode) == path:
            del self.paths[inode]

    def remove(self, how, path, order):
        how(path)
        self.forget(path)
        if order == "twice":
            raise OSError(errno.ENOENT, "sent twice")
        return b""

    def unlink(self, node, _owner, body, order):
        return self.remove(os.unlink, self.child(node, body), order)

    def rmdir(self, node, _owner, body, order):
        return self.remove(os.rmdir, self.child(node, body), order)

    def move(self, node, target, names, order):
        old, new = (name.decode() for name in names.split(b"\0")[:2])
        old, new = os.path.join(self.paths[node], old), os.path.join(self.paths[target], new)
        os.rename(old, new)
        inode = self.inodes.pop(old, None)
        if inode is not None:
            self.inodes[new], self.paths[inode] = inode, new
        if order == "torn":
            os.truncate(new, os.path.getsize(new) // 2)
            raise OSError(errno.EIO, "torn")
        if order == "twice":
            raise OSError(errno.ENOENT, "sent twice")
        return b""

    def rename(self, node, _owner, body, order):
        return self.move(node, struct.unpack_from("<Q", body)[0], body[8:], order)

    def rename2(self, node, _owner, body, order):
        target, flags = struct.unpack_from("<QI", body)
        if flags != 0:
            raise OSError(errno.EINVAL, "as on nfs")
        return self.move(node, target, body[16:], order)

    def link(self, node, _owner, body, order):
        source = self.path(struct.unpack_from("<Q", body)[0])
        path = self.child(node, body[8:])
        os.link(source, path)
        self.inodes[path] = self.inodes[source]
        if order == "torn":
            os.truncate(path, os.path.getsize(path) // 2)
            raise OSError(errno.EIO, "torn")
        if order == "twice":
            raise OSError(errno.EEXIST, "sent twice")
        return self.entry(path)

    def keep(self, descriptor):
        handle, self.next_handle = self.next_handle, self.next_handle + 1
        self.handles[handle] = descriptor
        return struct.pack("<QII", handle, DIRECT_IO, 0)

    def open(self, node, _owner, body, _order):
        flags = struct.unpack_from("<I", body)[0] & (os.O_ACCMODE | os.O_TRUNC)
        return self.keep(os.open(self.path(node), flags | os.O_CLOEXEC))

    def create(self, node, owner, body, _order):
        flags, mode, umask, _ = struct.unpack_from("<IIII", body)
        path = self.child(node, body[16:])
        descriptor = os.open(path, (flags & (os.O_ACCMODE | os.O_EXCL | os.O_TRUNC)) | os.O_CREAT | os.O_CLOEXEC,
                             0o600)
        os.fchmod(descriptor, mode & ~umask & 0o7777)
        os.fchown(descriptor, *owner)
        return self.entry(path) + self.keep(descriptor)

    def read(self, _node, _owner, body, _order):
        handle, offset, size = struct.unpack_from("<QQI", body)
        return os.pread(self.handles[handle], size, offset)

    def do_half(self, _node, body):
        handle, offset, size = struct.unpack_from("<QQI", body)
        os.pwrite(self.handles[handle], body[40:40 + size // 2], offset)

    def write(self, _node, _owner, body, order):
        handle, offset, size = struct.unpack_from("<QQI", body)
        data = body[40:40 + size]
        if order == "lose":
            data = b""
        descriptor = self.handles[handle]
        if order == "hole":
            data = bytes(size)
        while data:
            count = os.pwrite(descriptor, data, offset)
            offset, data = offset + count, data[count:]
        return struct.pack("<II", size, 0)

    def nothing(self, _node, _owner, _body, _order):
        return b""

    def release(self, _node, _owner, body, _order):
        descriptor = self.handles.pop(struct.unpack_from("<Q", body)[0], -1)
        if descriptor >= 0:
            os.close(descriptor)
        return b""

    def opendir(self, node, _owner, _body, _order):
        os.lstat(self.path(node))
        return struct.pack("<QII", 0, 0, 0)

    def readdir(self, node, _owner, body, _order):
        _, offset, size = struct.unpack_from("<QQI", body)
        names, data = sorted(os.listdir(self.path(node))), b""
        for index, name in list(enumerate(names))[offset:]:
            status = os.lstat(os.path.join(self.path(node), name))
            raw = name.encode()
            record = struct.pack("<QQII", status.st_ino + 1000, index + 1, len(raw), status.st_mode >> 12) + raw
            record += bytes(-len(record) % 8)
            if len(data) + len(record) > size:
                break
            data += record
        return data

    def statfs(self, node, _owner, _body, _order):
        space = os.statvfs(self.path(node))
        return struct.pack("<QQQQQIIII24x", space.f_blocks, space.f_bfree, space.f_bavail, space.f_files,
                           space.f_ffree, space.f_bsize, space.f_namemax, space.f_frsize, 0)

    def init(self, _node, _owner, body, _order):
        major, minor, ahead, flags = struct.unpack_from("<IIII", body)
        return struct.pack("<IIIIHHIIHHI28x", major, min(minor, 31), ahead, flags & (BIG_WRITES | MAX_PAGES),
                           16, 12, MOST_BYTES, 1, MOST_BYTES // 4096, 0, 0)


HANDLERS = {LOOKUP: Server.lookup, GETATTR: Server.getattr, SETATTR: Server.setattr, MKDIR: Server.mkdir,
            UNLINK: Server.unlink, RMDIR: Server.rmdir, RENAME: Server.rename, RENAME2: Server.rename2,
            LINK: Server.link, OPEN: Server.open, CREATE: Server.create, READ: Server.read, WRITE: Server.write,
            RELEASE: Server.release, FLUSH: Server.nothing, FSYNC: Server.nothing, FSYNCDIR: Server.nothing,
            OPENDIR: Server.opendir, READDIR: Server.readdir, RELEASEDIR: Server.nothing, STATFS: Server.statfs,
            INIT: Server.init, DESTROY: Server.nothing}


class BadMount:
    """The test's end of it."""

    def __init__(self, folder, point):
        self.folder, self.point = folder, point
        self.process = subprocess.Popen([sys.executable, "-B", os.path.abspath(__file__), folder, point],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "mounted\n", "no FUSE mount"

    @staticmethod
    def can_be_had():
        return os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK)

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def set(self, operation, what, after=0, times=0, only=""):
        """From the (after + 1)-th such operation on; times 0: all of them. `only`: with this in it."""
        self.tell(do="set", operation=operation, what=what, after=after, times=times, only=only)

    def cache(self, seconds):
        """The kernel believes for so long that a name is (not) there."""
        self.tell(do="cache", seconds=seconds)

    def clear(self):
        """All is well again, and what hung goes on."""
        self.tell(do="clear")

    def counts(self):
        return self.tell(do="look")["counts"]

    def waiting(self):
        return self.tell(do="look")["waiting"]

    def close(self):
        with contextlib.suppress(OSError, ValueError):
            self.clear()
        LIBC.umount2(self.point.encode(), MNT_DETACH)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def main():
    server = Server(sys.argv[1], sys.argv[2], sys.stdin)
    print("mounted", flush=True)
    server.serve()


if __name__ == "__main__":
    main()

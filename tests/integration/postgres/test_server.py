"""The embedded server: private, by password, tied to its starter, and forgiving of crashes."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pg8000.native
import pytest
from tradewind.errors import DatabaseUnavailableError, InvalidInputError
from tradewind_local import postgres_server as server_module
from tradewind_local.postgres_server import PostgresServer
from tradewind_local.server_user import ServerUser, server_user

FAST = {"fsync": "off"}
PROGRAM = server_module._binaries() / "postgres"

# Another process that starts a server and waits to be killed.
STARTER = """
import sys, time
from tradewind_local.postgres_server import PostgresServer
server = PostgresServer(sys.argv[1], {"fsync": "off"})
server.start()
print(server.process_id, server.socket_dir, flush=True)
time.sleep(600)
"""


def ask(server: PostgresServer, statement: str) -> list[list[object]]:
    connection = pg8000.native.Connection(
        server.user, server.host, server.database, server.port, server.password
    )
    rows: list[list[object]] = connection.run(statement)
    connection.close()
    return rows


def running(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # ended, and nobody has asked for its result yet


def test_a_folder_keeps_its_database_and_password_over_a_restart(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "database", FAST)
    with server:
        ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
        password, process = server.password, server.process_id
        assert process is not None
        assert running(process)
    assert not running(process)
    assert server.process_id is None
    with PostgresServer(tmp_path / "database", FAST) as again:
        assert ask(again, "SELECT number FROM kept") == [[7]]
        assert again.password == password


def test_nobody_gets_in_without_the_password(postgres_server: PostgresServer) -> None:
    server = postgres_server
    for user, password in (("tradewind", "wrong"), ("postgres", server.password)):
        with pytest.raises(pg8000.native.DatabaseError) as refused:
            pg8000.native.Connection(user, server.host, "postgres", server.port, password)
        assert refused.value.args[0]["C"] in ("28P01", "28000")
    assert stat.S_IMODE((server.folder / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700


def test_it_listens_on_this_machine_and_through_its_socket_only(
    postgres_server: PostgresServer,
) -> None:
    server = postgres_server
    listening = ask(server, "SELECT current_setting('listen_addresses')")
    assert listening == [["127.0.0.1"]]
    path = server.socket_dir / f".s.PGSQL.{server.port}"
    connection = pg8000.native.Connection(
        server.user, database=server.database, password=server.password, unix_sock=str(path)
    )
    assert connection.run("SELECT inet_client_addr()") == [[None]]
    connection.close()


def test_the_owner_is_no_superuser(postgres_server: PostgresServer) -> None:
    rows = ask(
        postgres_server,
        "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user",
    )
    assert rows == [[False, True, True]]


def test_a_folder_in_use_is_refused_in_one_line(tmp_path: Path) -> None:
    with (
        PostgresServer(tmp_path, FAST),
        pytest.raises(InvalidInputError, match="in use by another run"),
    ):
        PostgresServer(tmp_path, FAST).start()


def test_a_taken_port_is_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = server_module._free_port()
        ports = iter([taken.getsockname()[1], free])
        monkeypatch.setattr(server_module, "_free_port", lambda: next(ports))
        with PostgresServer(tmp_path, FAST) as server:
            assert server.port == free


def test_it_takes_the_port_asked_for_and_another_where_that_is_taken(tmp_path: Path) -> None:
    port = server_module._free_port()
    with PostgresServer(tmp_path, FAST, port=port) as server:
        assert server.port == port
    with (
        socket.create_server(("127.0.0.1", port)),
        PostgresServer(tmp_path, FAST, port=port) as server,
    ):
        assert server.port != port


def test_a_setting_it_does_not_know_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError, match='"no_such_setting"') as failed:
        PostgresServer(tmp_path, {"no_such_setting": "1"}).start()
    assert "\n" not in str(failed.value)
    with PostgresServer(tmp_path, FAST):
        pass  # and the folder is free again


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_the_server_goes_when_its_starter_is_killed_and_starts_again_at_once(
    tmp_path: Path,
) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert starter.stdout is not None
    process, socket_folder = starter.stdout.readline().split()
    starter.kill()
    starter.wait()
    starter.stdout.close()
    with PostgresServer(tmp_path, FAST) as server:  # whether the old one is gone yet or not
        assert ask(server, "SELECT 1") == [[1]]
        assert not running(int(process))
        assert not Path(socket_folder).exists()


def test_what_a_crash_left_behind_is_cleared(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path, FAST)
    server.start()
    assert server._process is not None
    assert server._lock is not None
    server._process.send_signal(signal.SIGKILL)  # the server itself, with no time to clean up
    server._process.wait()
    os.close(server._lock)  # as the system does for a process that ends
    assert (server.data / "postmaster.pid").exists()
    (tmp_path / "data.unfinished").mkdir()
    (tmp_path / "data.unfinished" / "PG_VERSION").write_text("18")
    with PostgresServer(tmp_path, FAST) as again:
        assert ask(again, "SELECT 1") == [[1]]
    assert not (tmp_path / "data.unfinished").exists()
    assert not server.socket_dir.exists()


def test_a_process_number_given_to_somebody_else_is_no_server_of_ours(tmp_path: Path) -> None:
    with PostgresServer(tmp_path, FAST) as server:
        pass
    # This very process: it must neither be waited for nor be ended.
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n")
    with PostgresServer(tmp_path, FAST) as again:
        assert ask(again, "SELECT 1") == [[1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("version", "was written by PostgreSQL 16, this is 18"),
        ("password", "password is missing"),
        ("empty", "holds no PostgreSQL database"),
    ],
)
def test_a_folder_that_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, change: str, message: str
) -> None:
    with PostgresServer(tmp_path, FAST) as server:
        pass
    if change == "version":
        (server.data / "PG_VERSION").write_text("16\n")
    elif change == "password":
        (tmp_path / "password").unlink()
    else:
        server.data.rename(tmp_path / "elsewhere")
        server.data.mkdir()
    with pytest.raises(InvalidInputError, match=message) as refused:
        PostgresServer(tmp_path, FAST).start()
    assert "\n" not in str(refused.value)


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match="cannot keep a database in"):
        PostgresServer(tmp_path / "file" / "database").start()


# -- as root --------------------------------------------------------------------------------------

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what happens when run as root")


@as_root
def test_as_root_the_server_is_somebody_else_even_where_that_user_cannot_walk(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with PostgresServer(closed / "database", FAST) as server:
        status = Path(f"/proc/{server.process_id}/status").read_text()
        users = {line.split()[1] for line in status.splitlines() if line.startswith("Uid:")}
        assert users.isdisjoint({"0"})
        assert ask(server, "SELECT 1") == [[1]]
    # Nothing was made more open for it.
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert closed.stat().st_uid == 0


@as_root
def test_where_every_user_can_walk_the_server_gets_no_capability() -> None:
    assert server_user(Path("/"), Path("/bin/sh")).capability is None


@as_root
def test_without_any_way_to_the_folder_the_reason_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr("tradewind_local.server_user._permitted_capabilities", lambda: 0)
    with pytest.raises(InvalidInputError, match="PostgreSQL does not run as root") as refused:
        server_user(closed, PROGRAM)
    assert "\n" not in str(refused.value)


def test_an_ordinary_user_runs_the_server_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(os, "geteuid", lambda: nobody.pw_uid)
    monkeypatch.setattr(os, "getegid", lambda: nobody.pw_gid)
    assert server_user(Path("/"), PROGRAM) == ServerUser(
        "nobody", nobody.pw_uid, nobody.pw_gid, switch=False
    )

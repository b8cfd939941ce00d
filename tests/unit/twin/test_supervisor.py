"""Processes and folders of the twin: one owner at a time, nothing stale left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tradewind.errors import InvalidInputError
from tradewind_local.twin.folder import StateFolder
from tradewind_local.twin.supervisor import ProcessFailedError, Supervisor, wait_until

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
ENVIRONMENT = dict(os.environ)


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie that nobody has waited for has ended too."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def wait_for_end(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return gone(pid)


def test_a_second_command_on_the_same_folder_is_told_who_has_it(tmp_path: Path) -> None:
    first = StateFolder.open(tmp_path / "state")
    with pytest.raises(InvalidInputError, match=rf"in use .*{os.getpid()}"):
        StateFolder.open(tmp_path / "state")
    first.close()
    StateFolder.open(tmp_path / "state").close()


def test_a_folder_with_foreign_files_is_never_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(InvalidInputError, match="has other files in it"):
        StateFolder.open(tmp_path)


@pytest.mark.parametrize("name", ["lock", "TRADEWIND_STATE"])
def test_an_odd_folder_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "TRADEWIND_STATE").touch()
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    with pytest.raises(InvalidInputError, match=rf"--state .* Is a directory: .*{name}") as refused:
        StateFolder.open(tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("registry", ["garbage", "{}", "[1]", '[{"pid": 1}]'])
def test_a_registry_that_is_none_names_no_process(tmp_path: Path, registry: str) -> None:
    (tmp_path / "processes.json").write_text(registry)
    assert Supervisor(tmp_path).remove_stale() == []


def test_a_folder_keeps_the_seed_it_was_made_with(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path / "state")
    folder.settle_seed(4)
    folder.settle_seed(4)
    with pytest.raises(InvalidInputError, match=r"--seed 5: .* made with seed 4"):
        folder.settle_seed(5)
    folder.close()


def test_a_temporary_folder_goes_with_its_run_and_a_killed_ones_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = StateFolder.open(None)
    assert folder.path.exists()
    folder.close()
    assert not folder.path.exists()

    killed = StateFolder.open(None)
    killed._lock.release()  # what the kernel does when its owner is killed
    (tmp_path / "tradewind-run-not-ours").mkdir()
    StateFolder.open(None).close()
    assert [path.name for path in tmp_path.iterdir()] == ["tradewind-run-not-ours"]


def test_the_next_start_ends_what_was_left_behind(tmp_path: Path) -> None:
    process = Supervisor(tmp_path).start("sleeper", SLEEP, ENVIRONMENT, tmp_path / "log")
    assert Supervisor(tmp_path).remove_stale() == ["sleeper"]
    assert process.wait(10) != 0
    assert Supervisor(tmp_path).remove_stale() == []


def test_a_process_that_only_got_the_number_is_left_alone(tmp_path: Path) -> None:
    process = Supervisor(tmp_path).start("sleeper", SLEEP, ENVIRONMENT, tmp_path / "log")
    registry = tmp_path / "processes.json"
    (entry,) = json.loads(registry.read_text())
    registry.write_text(json.dumps([{**entry, "started": entry["started"] - 100}]))
    assert Supervisor(tmp_path).remove_stale() == []
    assert process.poll() is None
    Supervisor(tmp_path).stop(process, grace=0)


def test_stopping_takes_the_children_of_a_child_along(tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    code = (
        "import subprocess, sys, time, pathlib\n"
        f"child = subprocess.Popen({SLEEP!r})\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    supervisor = Supervisor(tmp_path)
    process = supervisor.start(
        "parent", [sys.executable, "-c", code], ENVIRONMENT, tmp_path / "log"
    )
    wait_until(lambda: note.exists() and bool(note.read_text()), process, "parent", note, 10)
    supervisor.stop(process, grace=0)
    assert wait_for_end(int(note.read_text()))


def test_a_killed_command_takes_its_processes_along(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from tradewind_local.twin.supervisor import Supervisor\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"child = Supervisor(folder).start('x', {SLEEP!r}, dict(os.environ), folder / 'log')\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, "PYTHONPATH": path},
    ) as command:
        assert command.stdout is not None
        child = int(command.stdout.readline())
        command.kill()
    assert wait_for_end(child)


def test_a_process_that_ends_early_says_why(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = Supervisor(tmp_path).start(
        "server", [sys.executable, "-c", "raise SystemExit('port taken')"], ENVIRONMENT, log
    )
    with pytest.raises(ProcessFailedError, match="server ended with code 1: port taken"):
        wait_until(lambda: False, process, "server", log, 10)

"""Ctrl-C ends a command, wherever in Python it arrives."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each sends the process a Ctrl-C of its own. What is raised in the last three is lost to the code
# around them: Python only reports it.
INTERRUPTED = {
    "in plain code": "signal.raise_signal(signal.SIGINT)",
    "in a destructor": """
class Ending:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
Ending()
""",
    "in a weak reference's callback": """
class Something: ...
thing = Something()
kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
del thing
""",
    "in a hook after a fork": """
os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))
if os.fork() == 0:
    os._exit(0)
""",
}
COMMAND = """
import os, signal, time, weakref
from tradewind_local.command_end import in_one_line
def work():
    {interrupted}
    time.sleep(30)
with in_one_line("tradewind work"):
    work()
"""


@pytest.mark.parametrize("interrupted", INTERRUPTED.values(), ids=INTERRUPTED)
def test_an_interrupt_is_never_lost(interrupted: str) -> None:
    code = COMMAND.format(interrupted=interrupted.strip().replace("\n", "\n    "))
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(entry for entry in sys.path if entry)},
        capture_output=True,
        text=True,
        timeout=25,
    )
    assert (ended.returncode, ended.stderr) == (
        130,
        "tradewind work: interrupted, everything is stopped\n",
    )

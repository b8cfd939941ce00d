"""Work in a child process beside a block: only its files count."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tradewind_local.backtest_commands.second_process import meanwhile


def children() -> list[str]:
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()


def test_what_it_leaves_in_files_is_there_behind_the_block(tmp_path: Path) -> None:
    left = tmp_path / "left"
    with meanwhile(lambda: (time.sleep(0.1), left.write_text("compiled"))):
        assert not left.exists()
    assert left.read_text() == "compiled"


def test_what_it_says_and_how_it_fails_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        os.write(1, b"never seen")
        raise ValueError("never seen")

    with meanwhile(fail):
        pass
    assert capfd.readouterr() == ("", "")


def test_a_block_that_is_left_in_a_hurry_takes_it_along() -> None:
    before = children()
    with pytest.raises(KeyboardInterrupt), meanwhile(lambda: time.sleep(60)):
        raise KeyboardInterrupt
    assert children() == before

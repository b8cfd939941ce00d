"""What backtests need beyond ``make run`` is installed when first asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tradewind_local.backtest_commands.tools import REQUIREMENTS, ToolsMissingError, ensure_tools

HERE, MISSING = "json", "a_compiler_that_is_not_there"


def test_what_is_there_is_not_installed(capsys: pytest.CaptureFixture[str]) -> None:
    def install(requirements: Path) -> bool:
        raise AssertionError(requirements)

    ensure_tools(install, (HERE,))
    assert capsys.readouterr() == ("", "")


def test_what_is_missing_is_installed_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Path] = []
    ensure_tools(lambda requirements: not asked.append(requirements), (HERE, MISSING))
    assert asked == [REQUIREMENTS]
    assert REQUIREMENTS.exists()
    said = capsys.readouterr()
    assert said.out == ""
    assert MISSING in said.err
    assert HERE not in said.err


def test_what_cannot_be_installed_is_one_line() -> None:
    with pytest.raises(ToolsMissingError, match=f"^{MISSING} could not be installed.*by hand$"):
        ensure_tools(lambda _: False, (MISSING,))

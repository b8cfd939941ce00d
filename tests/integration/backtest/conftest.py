"""Files of simulated bars, and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tradewind.market.bar import Bar
from tradewind.market.session_table import default_table
from tradewind_local.cli import main
from tradewind_local.exchange.simulated_market import simulated_bars

HEADER = "timestamp,open,high,low,close,volume\n"


def rows(bars: Iterable[Bar]) -> str:
    return "".join(
        f"{bar.start:%Y-%m-%dT%H:%M:%SZ},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}\n"
        for bar in bars
    )


@dataclass
class Desk:
    """Somebody at the keyboard, in a folder of their own."""

    folder: Path

    def types(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments), prog_name="tradewind")

    def results(self, *arguments: str) -> dict[str, Any]:
        """What ``--json`` wrote; the command has to succeed."""
        file = self.folder / "out.json"
        file.unlink(missing_ok=True)
        done = self.types(*arguments, "--json", str(file))
        assert (done.exit_code, done.stderr) == (0, "")
        written: dict[str, Any] = json.loads(file.read_text(), parse_constant=_no_constant)
        return written


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def bars_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A file of six weeks of a symbol's simulated bars, oldest first."""
    folder = tmp_path_factory.mktemp("bars")
    sessions = list(default_table().between(date(2020, 11, 9), date(2020, 12, 18)))

    def file(symbol: str) -> Path:
        path = folder / f"{symbol}.csv"
        if not path.exists():
            path.write_text(HEADER + rows(simulated_bars([symbol], sessions, 11)))
        return path

    return file

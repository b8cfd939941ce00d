"""What backtests need beyond the environment of ``make run``, installed when first asked for."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import click
from tradewind.errors import PermanentError

# The checkout: local/tradewind_local/backtest_commands/tools.py is three folders below it.
REQUIREMENTS = Path(__file__).resolve().parents[3] / "requirements" / "backtest.txt"
_TOOLS = ("numba", "plotly")


class ToolsMissingError(PermanentError):
    """What backtests need is not there and could not be installed."""


def _install(requirements: Path) -> bool:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    ended = subprocess.run([*command, "-r", str(requirements)], stdout=sys.stderr)  # noqa: S603
    return ended.returncode == 0


def ensure_tools(install: Callable[[Path], bool] = _install, tools: Sequence[str] = _TOOLS) -> None:
    """Install what is missing into the environment that runs this, and say so; nothing else is
    done where all is there. ToolsMissingError when it cannot be installed."""
    missing = [tool for tool in tools if find_spec(tool) is None]
    if not missing:
        return
    click.echo(
        f"Installing what backtests need beyond make run ({REQUIREMENTS.name}: "
        f"{', '.join(missing)}; about 280 MB)",
        err=True,
    )
    if not install(REQUIREMENTS):
        raise ToolsMissingError(
            f"{', '.join(missing)} could not be installed; pip says why above; then try again, or "
            f"install {REQUIREMENTS.name} by hand"
        )
    importlib.invalidate_caches()

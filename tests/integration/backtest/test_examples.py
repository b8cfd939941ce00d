"""The examples in docs/examples declare the figures that their commands give."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.backtest.conftest import Desk

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "examples"
# What the examples call their recorded bars.
RECORDED = {"aapl.csv": ROOT.parent / "shared/data/bars_1min/av_2020_2021/intraday_1min_AAPL.csv"}

_COMMAND = re.compile(r"```sh\n(.*?)```(.*?)(?=```sh|\Z)", re.DOTALL)
_FIGURE = re.compile(r"^\| `([\w.]+)` \| (\S+) \|", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A command and the figures (path in the JSON, value as written) that stand below it."""

    name: str
    command: str
    figures: tuple[tuple[str, str], ...]


def examples() -> Iterator[Example]:
    for file in sorted(FOLDER.glob("*.md")):
        for number, (command, rest) in enumerate(_COMMAND.findall(file.read_text()), 1):
            figures = tuple(_FIGURE.findall(rest))
            yield Example(f"{file.stem}-{number}", command.replace("\\\n", " "), figures)


def found(written: Any, path: str) -> Any:
    """``cost_sensitivity.2.sharpe``; the length where a list is named."""
    for part in path.split("."):
        written = written[int(part) if isinstance(written, list) else part]
    return len(written) if isinstance(written, list) else written


@pytest.mark.parametrize("example", list(examples()), ids=lambda one: one.name)
def test_figures_are_as_declared(desk: Desk, example: Example) -> None:
    arguments = shlex.split(example.command)
    assert arguments.pop(0) == "tradewind"
    for place, argument in enumerate(arguments):
        for name, file in RECORDED.items():
            if argument.endswith(f"={name}"):
                if not file.exists():
                    pytest.skip("the recorded bars are not here")
                arguments[place] = argument.replace(name, str(file))
    assert example.figures
    written = desk.results(*arguments)
    measured = {path: found(written, path) for path, _ in example.figures}
    assert {path: _as_written(measured[path], text) for path, text in example.figures} == dict(
        example.figures
    )


def test_there_are_examples() -> None:
    assert len(list(examples())) >= 5


def _as_written(value: Any, text: str) -> str:
    """With as many decimals as the document has."""
    if isinstance(value, str):
        return value
    digits = len(text.partition(".")[2])
    return f"{value:.{digits}f}"

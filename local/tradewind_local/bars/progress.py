"""Progress: a bar in a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# A plain line each time another tenth is done.
_LINES = 10
# A file or a pipe has no width that a table would have to keep to.
_WIDE = 160


class Steps(Protocol):
    def __call__(self, done: int, what: str = "") -> None:
        """So much of the total is done, and what just was."""
        ...


def console_for_output() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)


@contextmanager
def progress(console: Console, title: str, total: int, unit: str) -> Iterator[Steps]:
    """Shows ``done`` of ``total`` of the unit (``rows``) until the block ends."""
    if console.is_terminal:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(),
            console=console,
        ) as bar:
            task = bar.add_task(title, total=total)

            def draw(done: int, what: str = "") -> None:
                bar.update(task, completed=done, description=f"{title} {what}".rstrip())

            yield draw
        return
    tenths = 0

    def line(done: int, what: str = "") -> None:
        nonlocal tenths
        reached = done * _LINES // total if total else _LINES
        if reached > tenths:
            tenths = reached
            text = f"{title}: {done:,} of {total:,} {unit}"
            say(console, f"{text} ({what})" if what else text)

    yield line


def say(console: Console, text: str) -> None:
    """One line as it is: no markup, no wrapping, no colours guessed from its words."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)

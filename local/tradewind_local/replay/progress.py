"""A replay's progress: a live display in a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tradewind_local.replay.driver import MinuteRun
from tradewind_local.replay.ledger import ProfitAndLoss, RecentDecision

NEW_YORK = ZoneInfo("America/New_York")
_LINE_EVERY_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a replay stands after a minute's run."""

    run: MinuteRun
    simulated: bool
    done: int
    total: int
    orders: int
    fills: int
    profit: ProfitAndLoss
    decisions: Sequence[RecentDecision]

    @property
    def line(self) -> str:
        return (
            f"{self.run.bar_time.astimezone(NEW_YORK):%H:%M} New York, {self.done}/{self.total}: "
            f"{self.orders} orders, {self.fills} fills, P&L {self.profit.realised:+.2f} realised "
            f"{self.profit.unrealised:+.2f} unrealised{' (SIMULATED)' if self.simulated else ''}"
        )


class Display(Protocol):
    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def wants(self, done: int, total: int) -> bool:
        """Whether a standing after this many runs would be shown (it costs a few queries)."""
        ...

    def show(self, standing: Standing) -> None: ...


class PlainLines:
    """A line each quarter of an hour of the market, and one at the end; no control characters."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def wants(self, done: int, total: int) -> bool:
        return done % _LINE_EVERY_MINUTES == 0 or done == total

    def show(self, standing: Standing) -> None:
        say(self._console, standing.line)


class LiveDisplay:
    """A progress bar, the last decisions and the P&L, redrawn in place."""

    def __init__(self, console: Console, title: str, total: int) -> None:
        self._bar = Progress(
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("minutes"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("", total=total)
        self._live = Live(self._bar, console=console, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def wants(self, done: int, total: int) -> bool:
        return done <= total

    def show(self, standing: Standing) -> None:
        self._bar.update(self._task, completed=standing.done)
        parts: list[RenderableType] = [self._bar, standing.line, _table(standing.decisions)]
        self._live.update(Group(*parts))


def say(console: Console, text: str) -> None:
    """One line as it is: no markup, no wrapping, no colours guessed from its words."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _table(decisions: Sequence[RecentDecision]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("last decisions", "symbol", "action", "close", "why"):
        table.add_column(heading)
    for decision in decisions:
        table.add_row(
            f"{decision.bar_time.astimezone(NEW_YORK):%H:%M}",
            decision.symbol,
            decision.action,
            f"{decision.close:.2f}",
            decision.reason,
        )
    return table

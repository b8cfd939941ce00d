"""What became of the bars of one symbol from one source, row by row: nothing is lost silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction

from tradewind.market.adjustment import SuspectedSplit
from tradewind.market.availability import Availability
from tradewind.market.bar import Bar
from tradewind.market.gap_ledger import MinuteRange, OpenGap
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable

# So many examples of each reason are kept.
EXAMPLES = 3
# Bars further apart than this do not belong together: neither can the later one's price be judged
# by the earlier one's, nor are the sessions between them missing from anything.
APART = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Example:
    """``row`` of the file, None for a provider's bar; ``start`` None where it cannot be read."""

    row: int | None
    start: datetime | None
    cause: str


@dataclass(slots=True)
class Intake:
    """``source`` is the file's or the provider's name. Every row read is counted once:
    ``read == stored + corrected + unchanged + repeated + less_complete + rejected + held``.

    ``repeated`` rows say what another row said, ``less_complete`` ones were replaced by a fuller
    bar of the same minute; neither loses anything.
    """

    symbol: str
    source: str
    read: int = 0
    stored: int = 0
    corrected: int = 0
    unchanged: int = 0
    repeated: int = 0
    less_complete: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    suspected: list[SuspectedSplit] = field(default_factory=list)
    stretches: list[tuple[datetime, datetime]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether everything that came is stored."""
        return not self.rejected and not self.held

    def reject(self, code: str, example: Example) -> None:
        self.rejected[code] += 1
        self._remember(code, example)

    def hold(self, code: str, example: Example) -> None:
        self.held[code] += 1
        self._remember(code, example)

    def goes_on(self, start: datetime) -> bool:
        """Whether a bar that starts here belongs to what came last."""
        return bool(self.stretches) and abs(start - self.stretches[-1][1]) <= APART

    def came(self, bars: Iterable[Bar]) -> None:
        """Widen the stretches of time that came by these bars, which lie close together."""
        starts = [bar.start for bar in bars]
        if not starts:
            return
        first, last = min(starts), max(starts)
        if self.goes_on(first):
            known_first, known_last = self.stretches.pop()
            first, last = min(first, known_first), max(last, known_last)
        self.stretches.append((first, last))

    def _remember(self, code: str, example: Example) -> None:
        examples = self.examples.setdefault(code, [])
        if len(examples) < EXAMPLES:
            examples.append(example)


@dataclass(frozen=True, slots=True)
class SessionCoverage:
    """What the database holds of a symbol's session. ``missing`` is oldest first."""

    symbol: str
    session: Session
    minutes: Availability
    missing: tuple[MinuteRange, ...]


def sessions_of(intakes: Iterable[Intake], sessions: SessionTable) -> dict[str, list[Session]]:
    """By symbol, the sessions that its sources reach over, oldest first."""
    found: dict[str, dict[date, Session]] = {}
    for intake in intakes:
        of_symbol = found.setdefault(intake.symbol, {})
        for first, last in intake.stretches:
            for session in sessions.between(first.date(), last.date()):
                of_symbol[session.date] = session
    return {
        symbol: [of_symbol[day] for day in sorted(of_symbol)]
        for symbol, of_symbol in sorted(found.items())
    }


def coverage(
    symbol: str,
    sessions: Sequence[Session],
    minutes: Mapping[date, Availability],
    gaps: Iterable[OpenGap],
) -> list[SessionCoverage]:
    """One entry per session; ``minutes`` by date and ``gaps`` are of this symbol alone."""
    missing: dict[date, list[MinuteRange]] = {}
    for gap in gaps:
        missing.setdefault(gap.session.date, []).append(gap.minutes)
    return [
        SessionCoverage(
            symbol,
            session,
            minutes[session.date],
            tuple(sorted(missing.get(session.date, ()), key=lambda minute: minute.first)),
        )
        for session in sessions
    ]


def availability_of(covered: Iterable[SessionCoverage]) -> Availability:
    """Over all of them."""
    return sum((entry.minutes for entry in covered), Availability(0, 0, 0))


def percent(figure: Fraction) -> float:
    """To three decimals, rounded down: 99.9999 % is not all."""
    return int(figure * 100_000) / 1000

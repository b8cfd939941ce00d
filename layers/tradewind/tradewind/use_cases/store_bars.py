"""Bars of the past into the store of record, judged as the live ones are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise, repeat

from tradewind.market.adjustment import KnownClose
from tradewind.market.bar import Bar
from tradewind.market.bar_months import month_of
from tradewind.market.intake import APART, Example, Intake, SessionCoverage, coverage
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.market.validation import validate
from tradewind.market.verdict import HeldBar, Reason, Validated, ValidationRules
from tradewind.use_cases.unit_of_work import Database, Stores

# A bar and its row, if it is from a file.
_Numbered = tuple[Bar, int | None]


class BarShelf:
    """Takes the bars of one symbol, portion by portion, oldest first, and notes in ``intake`` what
    becomes of them.

    A jump at the end of a portion cannot be confirmed by bars that have not come yet: it is kept
    back and judged again with the next portion.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        database: Database,
        sessions: SessionTable,
        rules: ValidationRules,
    ) -> None:
        self.intake = intake
        self._database = database
        self._sessions = sessions
        self._rules = rules
        self._kept_back: list[_Numbered] = []
        self._months: set[date] = set()

    def take(self, bars: Sequence[Bar], as_of: datetime, rows: Sequence[int] | None = None) -> None:
        """Judge and store bars, all in one transaction. ``as_of`` (aware UTC): the moment of
        knowledge; ``rows[i]``: the row of ``bars[i]``."""
        numbered: list[_Numbered] = list(zip(bars, rows or repeat(None, len(bars)), strict=True))
        if not numbered:
            return
        with self._database.transaction() as stores:
            parts = _parts([*self._kept_back, *numbered])
            self._kept_back = []
            for part in parts:
                self._store(stores, part, as_of, final=part is not parts[-1])

    def close(self, as_of: datetime) -> None:
        """No more bars will come: what was kept back is held."""
        if self._kept_back:
            part, self._kept_back = self._kept_back, []
            with self._database.transaction() as stores:
                self._store(stores, part, as_of, final=True)

    def _store(
        self, stores: Stores, part: Sequence[_Numbered], as_of: datetime, final: bool
    ) -> None:
        symbol = self.intake.symbol
        judged = validate(
            (bar for bar, _ in part),
            as_of=as_of,
            sessions=self._sessions,
            closes_before=lambda starts: self._closes_before(stores, starts),
            factors=stores.factors.table([symbol]),
            rules=self._rules,
        )
        self._make_months(stores, judged.accepted)
        written = stores.bar_load.load(judged.accepted, judged.in_session, as_of)
        if judged.suspected:
            stores.factors.suspect(judged.suspected)
        later = [] if final else _unconfirmed(judged, self._rules.confirmations)
        self._note(part, judged, later)
        self.intake.stored += written.stored
        self.intake.corrected += written.corrected
        self.intake.unchanged += len(judged.accepted) - written.stored - written.corrected
        self.intake.came(judged.accepted)
        self.intake.came(held.bar for held in judged.held)

    def _closes_before(
        self, stores: Stores, starts: Mapping[str, datetime]
    ) -> dict[str, KnownClose]:
        """Without closes that are too old to judge by, unless what came in between was held."""
        return {
            symbol: close
            for symbol, close in stores.bars.closes_before(starts).items()
            if starts[symbol] - close.start <= APART or self.intake.goes_on(starts[symbol])
        }

    def _make_months(self, stores: Stores, bars: Sequence[Bar]) -> None:
        if not bars:
            return
        first, last = month_of(bars[0].start), month_of(bars[-1].start)
        if not {first, last} <= self._months:
            stores.bar_months.ensure(first, last)
            self._months |= {first, last}

    def _note(
        self,
        part: Sequence[_Numbered],
        judged: Validated,
        later: Sequence[HeldBar],
    ) -> None:
        intake = self.intake
        intake.repeated += judged.repeated
        intake.less_complete += judged.less_complete
        known = {(seen.effective, seen.symbol) for seen in intake.suspected}
        intake.suspected += [
            seen for seen in judged.suspected if (seen.effective, seen.symbol) not in known
        ]
        if not judged.rejected and not judged.held:
            return
        rows = {id(bar): row for bar, row in part}
        for refused in judged.rejected:
            bar = refused.bar
            intake.reject(refused.code, Example(rows[id(bar)], bar.start, refused.reason))
        again = {id(held.bar) for held in later}
        for held in judged.held:
            bar = held.bar
            if id(bar) in again:
                self._kept_back.append((bar, rows[id(bar)]))
            else:
                intake.hold(held.code, Example(rows[id(bar)], bar.start, held.reason))


def covered_sessions(
    wanted: Mapping[str, Sequence[Session]], *, database: Database, until: datetime
) -> list[SessionCoverage]:
    """What the database holds of these sessions, by symbol; minutes over at ``until`` count."""
    found: list[SessionCoverage] = []
    with database.transaction() as stores:
        for symbol, sessions in wanted.items():
            minutes = stores.gaps.availability([symbol], sessions, until)
            gaps = stores.gaps.open_gaps([symbol], sessions, until)
            found += coverage(symbol, sessions, minutes, gaps)
    return found


def _parts(
    numbered: Sequence[_Numbered],
) -> list[Sequence[_Numbered]]:
    """Cut where bars lie too far apart to be judged by each other."""
    cuts = [
        place
        for place, ((before, _), (after, _)) in enumerate(pairwise(numbered), start=1)
        if after.start - before.start > APART
    ]
    return [numbered[first:last] for first, last in pairwise([0, *cuts, len(numbered)])]


def _unconfirmed(judged: Validated, confirmations: int) -> list[HeldBar]:
    """The jumps after which too few bars have come."""
    last_accepted = judged.accepted[-1].start if judged.accepted else None
    return [
        held
        for held in judged.held[-confirmations:]
        if held.code is Reason.JUMP and (last_accepted is None or held.bar.start > last_accepted)
    ]

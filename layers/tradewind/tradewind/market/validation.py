"""Which incoming bars may be stored, and why the others may not.

Every bar of a batch ends in one of four places:

- *accepted*: may be stored, with whether it lies in regular hours;
- *held*: possible but hard to believe. A jump is held until the next bars confirm its level; what
  looks like a split nobody told of is held until a factor answers it. A held bar is not stored, so
  its minute stays a gap: it is asked for again, and nothing is decided across it;
- *rejected*: cannot be true, whatever comes later;
- dropped: said twice, or less complete than another bar of the same minute in the batch.

The judgement does not depend on the order of the batch, and nothing is remembered: bars held
before are judged again when they are read again, together with the bars that confirm them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from tradewind.errors import InvalidInputError, OutsideCalendarError
from tradewind.market.adjustment import (
    FactorTable,
    KnownClose,
    SuspectedSplit,
    divided,
    new_york_date,
    split_like,
)
from tradewind.market.bar import FAULTS, MINUTE, Bar, fault_code, to_iso
from tradewind.market.session_table import SessionTable
from tradewind.market.verdict import HeldBar, Reason, RejectedBar, Validated, ValidationRules

# 04:00 and 20:00 New York, measured from the open at 09:30, which keeps them right in summer and
# winter. No session in the table opens at another time of day.
_EARLIEST_BEFORE_OPEN = timedelta(hours=5, minutes=30)
_LATEST_AFTER_OPEN = timedelta(hours=10, minutes=30)

# From 15:59 to 04:00 New York; a day's last minute comes 10:29 after its first regular one.
_NIGHT = timedelta(hours=12)

# The newest stored regular-session close of each symbol before the moment given for it; a symbol
# that has none is absent.
ClosesBefore = Callable[[Mapping[str, datetime]], Mapping[str, KnownClose]]

# What a bar is measured by: a stored close, or the regular bar accepted before it.
_Reference = KnownClose | Bar


class _Hours(NamedTuple):
    """One day, early and late trading included: first <= start < last."""

    first: datetime
    open: datetime
    close: datetime
    last: datetime


class _Days:
    """The hours of a bar's day; remembers the last day, as bars come day by day."""

    def __init__(self, sessions: SessionTable) -> None:
        self._sessions = sessions
        self._newest: _Hours | None = None

    def hours(self, start: datetime) -> _Hours | None:
        """None when the exchange is closed all day; OutsideCalendarError beyond the table."""
        newest = self._newest
        if newest is not None and newest.first <= start < newest.last:
            return newest
        session = self._sessions.session_on(new_york_date(start))
        if session is None:
            return None
        self._newest = _Hours(
            session.open - _EARLIEST_BEFORE_OPEN,
            session.open,
            session.close,
            session.open + _LATEST_AFTER_OPEN,
        )
        return self._newest

    def regular(self, start: datetime) -> bool:
        hours = self.hours(start)
        return hours is not None and hours.open <= start < hours.close


@dataclass(slots=True)
class _Sorting:
    """The batch while it is being sorted out."""

    accepted: list[Bar] = field(default_factory=list)
    in_session: list[bool] = field(default_factory=list)
    released: list[Bar] = field(default_factory=list)
    held: list[HeldBar] = field(default_factory=list)
    rejected: list[RejectedBar] = field(default_factory=list)
    suspected: list[SuspectedSplit] = field(default_factory=list)
    repeated: int = 0
    less_complete: int = 0


def validate(
    batch: Iterable[Bar],
    *,
    as_of: datetime,
    sessions: SessionTable,
    closes_before: ClosesBefore,
    factors: FactorTable,
    rules: ValidationRules,
) -> Validated:
    """Judge the bars of one or many symbols, in any order.

    ``as_of`` (aware UTC) is the moment of knowledge: a minute not over by then is in the future,
    and a factor learnt later does not count. ``closes_before`` is asked once, for the symbols
    that have bars left, with the start of each one's first bar.
    """
    if as_of.tzinfo is None:
        raise InvalidInputError(f"as_of without a zone: {as_of!r}; all times are aware UTC")
    sorting = _Sorting()
    days = _Days(sessions)
    by_symbol = _single_bars(_possible(batch, as_of, days, rules, sorting), sorting)
    known = closes_before({symbol: bars[0].start for symbol, bars in by_symbol.items()})
    for symbol in sorted(by_symbol):
        bars = by_symbol[symbol]
        reference = known.get(symbol)
        if reference is not None and reference.start >= bars[0].start:
            raise InvalidInputError(
                f"{symbol}: the close given as known is of {to_iso(reference.start)}, which is "
                f"not before the first bar of the batch, {to_iso(bars[0].start)}"
            )
        _judge_levels(bars, reference, as_of, days, factors, rules, sorting)
    return Validated(
        accepted=tuple(sorting.accepted),
        in_session=tuple(sorting.in_session),
        released=tuple(sorting.released),
        held=tuple(sorting.held),
        rejected=tuple(sorting.rejected),
        suspected=tuple(sorting.suspected),
        repeated=sorting.repeated,
        less_complete=sorting.less_complete,
    )


# -- each bar by itself ---------------------------------------------------------------------------


def _possible(
    batch: Iterable[Bar], as_of: datetime, days: _Days, rules: ValidationRules, sorting: _Sorting
) -> Iterable[Bar]:
    """The bars that can be true; the others are rejected."""
    newest = as_of - MINUTE
    for bar in batch:
        if bar.start.tzinfo is None:
            _reject(sorting, bar, Reason.NO_TIME_ZONE, "the label has no time zone")
        elif (code := fault_code(bar)) is not None:
            _reject(sorting, bar, Reason(code), FAULTS[code])
        elif bar.volume > rules.max_volume:
            words = f"volume {bar.volume} is more than {rules.max_volume} shares in a minute"
            _reject(sorting, bar, Reason.ABSURD_VOLUME, words)
        elif bar.start > newest:
            words = f"the minute was not over when the bar was judged, at {to_iso(as_of)}"
            _reject(sorting, bar, Reason.FUTURE, words)
        else:
            try:
                hours = days.hours(bar.start)
            except OutsideCalendarError as error:
                _reject(sorting, bar, Reason.OUTSIDE_CALENDAR, str(error))
                continue
            if hours is None:
                words = f"the exchange has no session on {new_york_date(bar.start)}"
                _reject(sorting, bar, Reason.CLOSED_DAY, words)
            elif hours.first <= bar.start < hours.last:
                yield bar
            else:
                words = (
                    "the label lies outside 04:00-20:00 New York, "
                    f"{to_iso(hours.first)} to {to_iso(hours.last)}"
                )
                _reject(sorting, bar, Reason.OUTSIDE_HOURS, words)


def _reject(sorting: _Sorting, bar: Bar, code: Reason, reason: str) -> None:
    sorting.rejected.append(RejectedBar(bar, code, reason))


# -- one bar a minute -----------------------------------------------------------------------------


def _single_bars(bars: Iterable[Bar], sorting: _Sorting) -> dict[str, list[Bar]]:
    """By symbol, oldest first, one bar a minute."""
    minutes: dict[str, dict[datetime, Bar]] = {}
    rivals: dict[tuple[str, datetime], list[Bar]] = {}
    for bar in bars:
        of_symbol = minutes.setdefault(bar.symbol, {})
        known = of_symbol.get(bar.start)
        if known is None:
            of_symbol[bar.start] = bar
            continue
        others = rivals.setdefault((bar.symbol, bar.start), [known])
        if any(bar.same_values(other) for other in others):
            sorting.repeated += 1
        else:
            others.append(bar)
    for (symbol, start), versions in rivals.items():
        if len(versions) > 1:
            _settle(minutes[symbol], start, versions, sorting)
    return {
        symbol: [of_symbol[start] for start in sorted(of_symbol)]
        for symbol, of_symbol in minutes.items()
        if of_symbol
    }


def _settle(
    of_symbol: dict[datetime, Bar], start: datetime, versions: Sequence[Bar], sorting: _Sorting
) -> None:
    """Several versions of a minute in one batch: the fullest counts, or none.

    A minute's bar grows by late trades: a later version has more volume and a range at least as
    wide. A version that contains all others in this sense is the latest, in whatever order they
    came. Where neither contains the other, nothing tells which is right: all are refused, the
    minute stays a gap and is asked for again, which is safer than a coin toss.
    """
    for version in versions:
        if all(other is version or _contains(version, other) for other in versions):
            of_symbol[start] = version
            sorting.less_complete += len(versions) - 1
            return
    del of_symbol[start]
    for version in versions:
        _reject(
            sorting,
            version,
            Reason.CONFLICTING_DUPLICATE,
            f"{len(versions)} bars of this minute contradict each other, and none of them holds "
            "all the trades of the others",
        )


def _contains(fuller: Bar, other: Bar) -> bool:
    return fuller.volume > other.volume and fuller.high >= other.high and fuller.low <= other.low


# -- the level of prices --------------------------------------------------------------------------


def _judge_levels(
    bars: Sequence[Bar],
    reference: _Reference | None,
    as_of: datetime,
    days: _Days,
    factors: FactorTable,
    rules: ValidationRules,
    sorting: _Sorting,
) -> None:
    """Walk a symbol's bars, oldest first. Each is measured by the last regular close before it:
    prints of the early and late hours are too thin, and too often belated, to measure others by.
    """
    least, most = 1 - rules.max_jump, 1 + rules.max_jump
    # The reference whose next session began with what looks like a split: nothing is measured by
    # it any more, however far the price drifts from the ratio that was noticed.
    before_split: _Reference | None = None
    for place, bar in enumerate(bars):
        if reference is not None:
            level = _level_at(reference, bar, as_of, factors)
            if bar.low < level * least or bar.high > level * most:
                if reference is before_split or _looks_split(
                    reference, bar, level, as_of, factors, sorting
                ):
                    before_split = reference
                    _hold(sorting, bar, Reason.SUSPECTED_SPLIT, reference, level)
                    continue
                following = bars[place + 1 : place + 1 + rules.confirmations]
                if len(following) < rules.confirmations or not _confirm(
                    following, bar, level, rules
                ):
                    _hold(sorting, bar, Reason.JUMP, reference, level)
                    continue
                sorting.released.append(bar)
        regular = days.regular(bar.start)
        sorting.accepted.append(bar)
        sorting.in_session.append(regular)
        if regular:
            reference = bar


def _level_at(reference: _Reference, bar: Bar, as_of: datetime, factors: FactorTable) -> Decimal:
    """The reference's close at the price level of the bar's session, by the factors known."""
    if bar.start - reference.start < _NIGHT:
        return reference.close
    factor = factors.between(
        bar.symbol, new_york_date(reference.start), new_york_date(bar.start), as_of
    )
    return reference.close if factor == 1 else divided(reference.close, factor)


def _looks_split(
    reference: _Reference,
    bar: Bar,
    level: Decimal,
    as_of: datetime,
    factors: FactorTable,
    sorting: _Sorting,
) -> bool:
    """Whether a jump may be a split: one suspected before, or one of a split's size overnight.
    Splits take effect between sessions; the first sight of one is noted."""
    before, today = new_york_date(reference.start), new_york_date(bar.start)
    if before == today or factors.is_no_split(bar.symbol, before, today, as_of):
        return False
    if factors.is_suspected(bar.symbol, before, today, as_of):
        return True
    # By the close: the first print of the day may still be at the old price, as AAPL's was on
    # 2014-06-09.
    ratio = split_like(level, bar.close)
    if ratio is None:
        return False
    known = KnownClose(reference.start, reference.close)
    sorting.suspected.append(
        SuspectedSplit(bar.symbol, today, ratio, known, bar.close, seen_at=as_of)
    )
    return True


def _confirm(following: Sequence[Bar], bar: Bar, level: Decimal, rules: ValidationRules) -> bool:
    """Whether the bars that follow agree with where a jump led.

    Their closes must lie around its close, and each end of its range around the old level or the
    new one. So a single absurd print, up and back within the minute, is not confirmed by the bars
    after it.
    """
    closes = [bar.close, *(later.close for later in following)]
    least, most = 1 - rules.max_jump, 1 + rules.max_jump
    if not all(bar.close * least <= close <= bar.close * most for close in closes):
        return False
    return bar.low >= least * min(level, *closes) and bar.high <= most * max(level, *closes)


def _hold(sorting: _Sorting, bar: Bar, code: Reason, reference: _Reference, level: Decimal) -> None:
    seen = f"low {bar.low} and high {bar.high} after {level} at {to_iso(reference.start)}"
    if level != reference.close:
        seen += f" ({reference.close} before the known split)"
    what = (
        "looks like a split that no corporate action tells of"
        if code is Reason.SUSPECTED_SPLIT
        else "is a jump that the next bars have not confirmed"
    )
    sorting.held.append(
        HeldBar(bar, code, f"{seen} {what}", KnownClose(reference.start, reference.close))
    )

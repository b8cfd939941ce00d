"""Is it the time to enter, and are the data fit to decide on?"""

from __future__ import annotations

from tradewind.market.bar import MINUTE, to_iso
from tradewind.risk.entry_request import EntryRequest, Refusal

# A halt: nothing for so many minutes in a symbol that had bars in at least this part of the minutes
# before. The rules on halts of single stocks (LULD) pause for five minutes and more.
HALTED_AFTER = 3
LIQUID_MINUTES = 30
LIQUID_PART = 0.95


def session_open(request: EntryRequest) -> Refusal | None:
    session = request.session
    if session.open <= request.run_at < session.close:
        return None
    return Refusal(
        "session_closed",
        f"the session is open from {to_iso(session.open)} until {to_iso(session.close)}",
    )


def entry_window(request: EntryRequest) -> Refusal | None:
    opens = request.session.open + request.limits.no_entry_after_open
    closes = request.session.close - request.limits.no_entry_before_close
    if opens <= request.run_at < closes:
        return None
    left = (request.session.close - request.run_at) // MINUTE
    return Refusal(
        "outside_entry_window",
        f"entries are allowed from {to_iso(opens)} until {to_iso(closes)} in this session; "
        f"minutes to the close: {left}",
    )


def not_halted(request: EntryRequest) -> Refusal | None:
    """Nothing for three minutes in a symbol that is otherwise liquid. A thin symbol is quiet
    often; its own refusals (stale_bar, stale_data) say so."""
    minutes = request.recent_minutes
    silent = sum(1 for minute in minutes if minute > request.newest_bar)
    if silent < HALTED_AFTER:
        return None
    before = minutes[: len(minutes) - silent][-LIQUID_MINUTES:]
    traded = len(set(before).intersection(request.bar_starts))
    if len(before) < LIQUID_MINUTES or traded < LIQUID_PART * LIQUID_MINUTES:
        return None
    return Refusal(
        "halted",
        f"no bar for {silent} minutes since {to_iso(request.newest_bar)}, though {traded} of the "
        f"{LIQUID_MINUTES} minutes before had one: trading is probably halted",
    )


def data_is_current(request: EntryRequest) -> Refusal | None:
    """Apart from ``stale_bar``: a bar that is a minute late is no news, a symbol whose data has
    stopped is."""
    age = request.bar_time - request.newest_bar
    if age <= request.limits.max_data_age:
        return None
    return Refusal(
        "stale_data",
        f"the newest bar is {to_iso(request.newest_bar)}, {age // MINUTE} minutes before the "
        f"decided one; allowed are {request.limits.max_data_age // MINUTE}",
    )


def stale_bar(request: EntryRequest) -> Refusal | None:
    if request.newest_bar == request.bar_time:
        return None
    return Refusal(
        "stale_bar",
        f"the newest bar is {to_iso(request.newest_bar)}, decided is {to_iso(request.bar_time)}",
    )


def no_hole(request: EntryRequest) -> Refusal | None:
    if not request.missing:
        return None
    return Refusal(
        "hole",
        f"minutes missing among those decided on: {len(request.missing)}, from "
        f"{to_iso(min(request.missing))} to {to_iso(max(request.missing))}",
    )


def prediction_is_fresh(request: EntryRequest) -> Refusal | None:
    """For a strategy that cannot do without one. The last good one of an earlier run is marked
    stale: it may keep a position, it does not open one."""
    if not request.needs_prediction:
        return None
    prediction = request.prediction
    if prediction is None:
        return Refusal(
            "no_prediction", "the strategy needs a prediction and there is none recent enough"
        )
    if prediction.stale or prediction.timestamp < request.bar_time:
        return Refusal(
            "stale_prediction",
            f"the newest prediction is of {to_iso(prediction.timestamp)}, decided is "
            f"{to_iso(request.bar_time)}",
        )
    return None


def not_decided_before(request: EntryRequest) -> Refusal | None:
    if not request.decided_before:
        return None
    return Refusal(
        "duplicate_decision",
        f"{request.symbol} was decided on at {to_iso(request.bar_time)} by this strategy before",
    )

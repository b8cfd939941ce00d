"""What a backtest assumes, in plain words: docs/backtesting.md has the whole rules."""

from __future__ import annotations

from decimal import Decimal

from tradewind.backtest.settings import (
    BacktestSettings,
    FillConvention,
    Fixed,
    HalfSpread,
    VolumeShare,
)

_FILLS = {
    FillConvention.LIVE_PARITY: (
        "A decision is made on a closed bar and meets the market in the symbol's next bar, at its "
        "open: an entry up to 0.3 % above the price decided on, or not at all.",
        "The protective stop rests from the entry's fill on, in the entry's own bar too, and is "
        "moved up each minute, rounded down to the tick.",
        "A stop that is reached sells for its price, or for the open where the bar opened below: "
        "a gap fills at the worse open. Where two things could happen in one bar, the worse did.",
    ),
    FillConvention.NEXT_OPEN: (
        "Entries and exits fill at the next bar's open, as in backtesting.py and backtrader.",
        "There is no stop on the entry's bar; after it the stop follows the highest high since "
        "entry, the entry bar's included, and applies from the next bar on.",
        "A stop that is reached fills at its price, or at the open where the bar opened below. An "
        "exit on the signal comes before the stop of its bar.",
        "Positions are held over night; prices are not rounded to ticks.",
    ),
    FillConvention.VECTORBT: (
        "Entries and exits fill at the next bar's open, as in vectorbt.",
        "There is no stop on the entry's bar; after it the stop follows the highest high since "
        "entry, the entry bar's left out, and applies from the next bar on.",
        "A stop that is reached fills at its price, or at the open where the bar opened below. It "
        "comes before an exit on the signal in the same bar.",
        "Positions are held over night; prices are not rounded to ticks.",
    ),
}


def assumptions_of(settings: BacktestSettings) -> tuple[str, ...]:
    """Sentences: the fill convention first, then size, costs, protections, and what is left out."""
    return (
        f"Fill convention {settings.fill}:",
        *_fills(settings),
        _size(settings),
        _costs(settings),
        *_halts(settings),
        "An order fills as a whole and moves no price; dividends, interest, taxes and borrowing "
        "are left out. Bars have to be at one price level (split-adjusted).",
    )  # fmt: skip


def fills_in_words(settings: BacktestSettings) -> str:
    """The convention as one paragraph."""
    return " ".join(_fills(settings))


def _fills(settings: BacktestSettings) -> tuple[str, ...]:
    if settings.fill is not FillConvention.LIVE_PARITY:
        return _FILLS[settings.fill]
    limits = settings.limits
    after, before, flat = (
        f"{span.total_seconds() / 60:g}"
        for span in (limits.no_entry_after_open, limits.no_entry_before_close,
                     limits.flat_before_close)
    )  # fmt: skip
    night = (
        "positions are held over night"
        if limits.hold_overnight
        else (f"flat {flat} minutes before the close")
    )
    return (
        *_FILLS[settings.fill],
        f"No entry in a session's first {after} and last {before} minutes; {night}.",
    )


def _size(settings: BacktestSettings) -> str:
    what = (
        f"An entry risks {_percent(settings.risk)} of equity over a stop of "
        f"{_percent(settings.stop)} (trailing {_percent(settings.trail)})"
    )
    if settings.fill is not FillConvention.LIVE_PARITY:
        return f"{what}, in whole shares, and never more than the equity."
    return (
        f"{what}, or over {settings.limits.daily_atr_multiple:f} times the daily ATR where that is "
        f"wider, and never more than {_percent(settings.limits.max_symbol_exposure)} of equity a "
        "symbol."
    )


def _costs(settings: BacktestSettings) -> str:
    slippage = settings.slippage
    match slippage:
        case Fixed() if not slippage.fraction:
            paid = "Fills have no slippage"
        case Fixed():
            paid = f"Each fill is worse by {_plain(10_000 * slippage.fraction)} bp of its price"
        case HalfSpread():
            paid = f"Each fill is worse by half the spread, {_plain(slippage.usd)} USD a share"
        case VolumeShare():
            paid = (
                f"Each fill is worse by {_plain(slippage.impact)} x (its part of the bar's "
                "volume)^2 of its price, and an entry takes at most "
                f"{_percent(slippage.share)} of that volume"
            )
    commission = (
        f"a commission of {_percent(settings.commission)} of each side's value"
        if settings.commission
        else "no commission"
    )
    fees = "the SEC's and FINRA's fees on sales" if settings.regulatory_fees else "no fees"
    return f"{paid}; {commission}, {fees}."


def _percent(fraction: Decimal) -> str:
    return f"{_plain(100 * fraction)} %"


def _plain(value: Decimal) -> str:
    """Without zeros at the end, and without an exponent."""
    return f"{value.normalize():f}"


def _halts(settings: BacktestSettings) -> tuple[str, ...]:
    said = []
    if settings.daily_drawdown is None:
        said.append("No daily halt: a bad day is traded to its end.")
    else:
        limit = _percent(settings.daily_drawdown)
        said.append(f"At a loss of {limit} since the previous close entries stop for the day.")
    if settings.fill is FillConvention.LIVE_PARITY:
        off = sorted(map(str, settings.protections.off))
        without = f", without {', '.join(off)}" if off else ""
        said.append(f"Protections are those of live trading{without}.")
    return tuple(said)

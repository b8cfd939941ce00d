"""The options that say what a backtest assumes, as settings. Each error is one line that names the
option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from tradewind.backtest.settings import (
    BacktestSettings,
    FillConvention,
    Fixed,
    HalfSpread,
    Slippage,
    VolumeShare,
)
from tradewind.errors import InvalidInputError
from tradewind.risk.protections import Protection, ProtectionSettings

_ALL = "all"
_MOST_CASH = "1000000000000"  # USD
# Results are also computed at three times the cost, where a fill must still have a price.
_MOST_COST = "0.1"  # of the price, each side
_MOST_IMPACT = "0.3"
_MOST_SPREAD = "1000"  # USD


@dataclass(frozen=True, slots=True)
class SettingsOptions:
    """The options as they were typed; None: not given, the convention's own default holds.

    ``off``: protections by name, or ``all``.
    """

    fill: str
    stop: str
    trail: str
    risk: str
    cash: str
    commission: str
    slippage: str | None
    daily_drawdown: str | None
    off: Sequence[str]


def settings_of(typed: SettingsOptions) -> BacktestSettings:
    """Raises InvalidInputError, which names the option."""
    fill = FillConvention(typed.fill)
    own: dict[str, object] = {}
    if typed.slippage is not None:
        own["slippage"] = slippage_of(typed.slippage)
    if typed.daily_drawdown is not None:
        own["daily_drawdown"] = _number("--daily-drawdown", typed.daily_drawdown, "0", "1")
    if typed.off:
        if fill is not FillConvention.LIVE_PARITY:
            raise InvalidInputError(
                f"--without is for --fill live_parity: {fill} has no protections"
            )
        own["protections"] = _protections(typed.off)
    return BacktestSettings.of(
        fill,
        stop=_number("--stop", typed.stop, "0", "1"),
        trail=_number("--trail", typed.trail, "0", "1"),
        risk=_number("--risk", typed.risk, "0", "1", with_most=True),
        cash=_number("--cash", typed.cash, "0", _MOST_CASH, with_most=True),
        commission=_number("--commission", typed.commission, "0", _MOST_COST, with_least=True),
        **own,
    )


def slippage_of(text: str) -> Slippage:
    """``0.0002``, ``spread:0.01`` or ``volume:0.1:0.1``."""
    kind, colon, rest = text.partition(":")
    if not colon:
        return Fixed(_number("--slippage", text, "0", _MOST_COST, with_least=True))
    if kind == "spread":
        # What the market quotes is the whole spread; a fill pays half of it.
        spread = _number("--slippage spread:", rest, "0", _MOST_SPREAD, with_least=True)
        return HalfSpread(spread / 2)
    if kind == "volume":
        share, second, impact = rest.partition(":")
        part = _number("--slippage volume:", share, "0", "1", with_most=True)
        if not second:
            return VolumeShare(part)
        return VolumeShare(
            part, _number("--slippage volume:SHARE:", impact, "0", _MOST_IMPACT, with_least=True)
        )
    raise InvalidInputError(
        f"--slippage {text!r} is none of 0.0002 (of the price), spread:0.01 (USD) and "
        "volume:0.1:0.1 (share of the bar's volume, impact)"
    )


def _protections(off: Sequence[str]) -> ProtectionSettings:
    known = tuple(map(str, Protection))
    for name in off:
        if name not in (*known, _ALL):
            raise InvalidInputError(
                f"--without {name!r} is no protection: give {_ALL} or one of {', '.join(known)}"
            )
    return ProtectionSettings.without(known if _ALL in off else off)


def _number(
    option: str,
    text: str,
    least: str,
    most: str,
    *,
    with_least: bool = False,
    with_most: bool = False,
) -> Decimal:
    """Between the ends, which belong to it only where it is said."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise InvalidInputError(f"{option} {text!r} is not a number") from error
    inside = value.is_finite() and (
        (value >= Decimal(least) if with_least else value > Decimal(least))
        and (value <= Decimal(most) if with_most else value < Decimal(most))
    )
    if not inside:
        begin = f"{least} or more" if with_least else f"more than {least}"
        end = f"at most {most}" if with_most else f"less than {most}"
        raise InvalidInputError(f"{option} is {text}: give {begin} and {end}")
    return value

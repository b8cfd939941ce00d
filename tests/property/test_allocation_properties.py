"""No strategy spends beyond its part, and all of them together not beyond the account's caps."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal as D

from hypothesis import given
from hypothesis import strategies as st
from tradewind.risk.allocation import Allotment, Funds
from tradewind.risk.limits import RiskLimits

LIMITS = RiskLimits()
SYMBOLS = ("A", "B", "C", "D", "E", "F")

MONEY = st.decimals(0, 1_000_000, places=2)
# Up to the caps and beyond them.
IN_USE = st.dictionaries(st.sampled_from((*SYMBOLS, "FOREIGN")), st.decimals(0, 100_000, places=2))
PRICES = st.decimals("0.50", 2_000, places=2)
FRACTIONS = st.integers(1, 100).map(lambda percent: D(percent) / 100)


@st.composite
def allotments(draw: st.DrawFn) -> dict[str, Allotment]:
    """Up to three strategies with at most the whole account together; F is in none of them."""
    parts = [draw(st.integers(1, 100)) for _ in range(3)]
    whole = max(sum(parts), 100)
    owners = [draw(st.integers(0, 3)) for _ in SYMBOLS[:-1]]
    by_symbol = {}
    for number, part in enumerate(parts):
        own = frozenset(s for s, owner in zip(SYMBOLS, owners, strict=False) if owner == number)
        by_symbol.update(dict.fromkeys(own, Allotment(own, D(part) / whole)))
    return by_symbol


def shares(funds: Funds, symbol: str, price: D, atr: D | None) -> D:
    return funds.size(
        symbol, limit_price=price, stop_price=price * D("0.985"), atr=atr, limits=LIMITS
    ).quantity


def in_symbols(used: Mapping[str, D], symbols: frozenset[str]) -> D:
    return sum((used.get(symbol, D(0)) for symbol in symbols), D(0))


@given(
    st.decimals(20_000, 1_000_000, places=2),
    st.sampled_from([D("0.2"), D(1), D(4)]),
    IN_USE,
    allotments(),
    # so many that caps are reached
    st.lists(
        st.tuples(st.sampled_from(SYMBOLS), PRICES, st.none() | PRICES), min_size=15, max_size=25
    ),
)
def test_whatever_is_bought_in_a_run_no_cap_is_exceeded(
    equity: D,
    leverage: D,
    in_use: dict[str, D],
    by_symbol: dict[str, Allotment],
    entries: list[tuple[str, D, D | None]],
) -> None:
    buying_power = equity * leverage
    funds = Funds(equity, buying_power, in_use, by_symbol)
    used, spent = dict(in_use), D(0)
    for symbol, price, atr in entries:
        quantity = shares(funds, symbol, price, atr)
        assert quantity >= 0
        assert quantity == quantity.to_integral_value()
        if quantity == 0:
            continue
        usd = quantity * price
        funds.spend(symbol, usd)
        spent += usd
        used[symbol] = used.get(symbol, D(0)) + usd
        # the account's caps
        assert usd >= LIMITS.min_notional
        assert usd <= equity * LIMITS.max_symbol_exposure
        assert sum(used.values(), D(0)) <= equity * LIMITS.max_exposure
        assert spent <= buying_power
        allotment = by_symbol.get(symbol)
        if allotment is not None:
            # the strategy's: its part is an account of its own
            own = equity * allotment.fraction
            assert usd <= own * LIMITS.max_symbol_exposure
            assert in_symbols(used, allotment.symbols) <= own * LIMITS.max_exposure
            if atr is not None:
                lost = quantity * LIMITS.daily_atr_multiple * atr
                assert lost <= own * LIMITS.risk_per_trade


@given(MONEY, MONEY, MONEY, IN_USE, FRACTIONS, PRICES, st.none() | PRICES)
def test_more_equity_never_buys_less(
    one: D, other: D, power: D, in_use: dict[str, D], fraction: D, price: D, atr: D | None
) -> None:
    by_symbol = dict.fromkeys("AB", Allotment(frozenset("AB"), fraction))
    less, more = (
        shares(Funds(equity, power, in_use, by_symbol), "A", price, atr)
        for equity in sorted((one, other))
    )
    assert less <= more


@given(MONEY, MONEY, IN_USE, FRACTIONS, FRACTIONS, PRICES, st.none() | PRICES)
def test_a_larger_part_never_buys_less(
    equity: D, power: D, in_use: dict[str, D], one: D, other: D, price: D, atr: D | None
) -> None:
    less, more = (
        shares(
            Funds(equity, power, in_use, dict.fromkeys("AB", Allotment(frozenset("AB"), part))),
            "A",
            price,
            atr,
        )
        for part in sorted((one, other))
    )
    assert less <= more


@given(MONEY, MONEY, IN_USE, PRICES, st.none() | PRICES)
def test_the_whole_account_as_a_part_changes_nothing(
    equity: D, power: D, in_use: dict[str, D], price: D, atr: D | None
) -> None:
    whole = dict.fromkeys("AB", Allotment(frozenset("AB"), D(1)))
    asked = {"limit_price": price, "stop_price": price * D("0.985"), "atr": atr, "limits": LIMITS}
    assert Funds(equity, power, in_use, whole).size("A", **asked) == Funds(
        equity, power, in_use, {}
    ).size("A", **asked)

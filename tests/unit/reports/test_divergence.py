"""Live against backtest: each part of the difference by hand, and the sum for any trades."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.reports.divergence import ComparedTrade, divergence

from tests.unit.reports.trading_day import at

# 100 shares, decided at 50.00 and 51.00, got at those prices, no fees: 100 USD.
PLAIN = ComparedTrade(
    "AAPL", D(100), at(10), at(20), D("50.00"), D("51.00"), D("50.00"), D("51.00"), D(0)
)


def change(**fields: object) -> ComparedTrade:
    return replace(PLAIN, **fields)  # type: ignore[arg-type]


CASES = [
    # (live, backtest, signal, fill, cost, timing)
    ("the same", [PLAIN], [PLAIN], "0", "0", "0", "0"),
    ("live alone traded", [PLAIN], [], "100", "0", "0", "0"),
    ("the backtest alone traded", [], [PLAIN], "-100", "0", "0", "0"),
    ("other symbols are other trades", [change(symbol="MSFT", quantity=D(10))], [PLAIN],
     "-90", "0", "0", "0"),
    ("entries six minutes apart are other trades",
     [change(entry_decided_at=at(16), entry_decision_price=D("50.5"), entry_price=D("50.5"))],
     [PLAIN], "-50", "0", "0", "0"),
    ("bought dearer and sold lower", [change(entry_price=D("50.04"), exit_price=D("50.99"))],
     [PLAIN], "0", "-5.00", "0", "0"),
    ("both slipped the same", [change(entry_price=D("50.04"))], [change(entry_price=D("50.04"))],
     "0", "0", "0", "0"),
    ("live got a part", [change(quantity=D(60))], [PLAIN], "0", "-40", "0", "0"),
    ("fees", [change(cost=D("0.35"))], [change(cost=D("0.10"))], "0", "0", "-0.25", "0"),
    ("left a minute late", [change(exit_decided_at=at(21), exit_decision_price=D("50.70"),
                                   exit_price=D("50.70"))], [PLAIN], "0", "0", "0", "-30"),
    ("entered a minute late", [change(entry_decided_at=at(11), entry_decision_price=D("50.10"),
                                      entry_price=D("50.10"))], [PLAIN], "0", "0", "0", "-10"),
    # 1.5 % below 50.00 and 50.20; bought dearer, stopped higher: the stop follows from the fill
    ("stopped in the same minute", [change(entry_price=D("50.20"), exit_price=D("49.40"),
                                           exit_decision_price=D("49.44"), by_stop=True)],
     [change(exit_price=D("49.24"), exit_decision_price=D("49.25"), by_stop=True)],
     "0", "-4", "0", "0"),
    ("stopped a minute apart", [change(exit_decided_at=at(21), exit_price=D("49.44"),
                                       exit_decision_price=D("49.44"), by_stop=True)],
     [change(exit_price=D("49.25"), exit_decision_price=D("49.25"), by_stop=True)],
     "0", "0", "0", "19"),
    ("another close in the same minute", [change(exit_decision_price=D("50.90"),
                                                 exit_price=D("50.90"))], [PLAIN],
     "-10", "0", "0", "0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("live", "backtest", "signal", "fill", "cost", "timing"),
    [row[1:] for row in CASES],
    ids=[str(row[0]) for row in CASES],
)
def test_each_part(
    live: list[ComparedTrade],
    backtest: list[ComparedTrade],
    signal: str,
    fill: str,
    cost: str,
    timing: str,
) -> None:
    parts = divergence(live, backtest)
    assert (parts.signal, parts.fill, parts.cost, parts.timing) == tuple(
        map(D, (signal, fill, cost, timing))
    )


def test_the_nearest_entry_is_the_same_trade() -> None:
    early, late = change(entry_decided_at=at(8)), change(entry_decided_at=at(11))
    found = divergence([late], [early, PLAIN])
    assert [(one.live, one.backtest) for one in found.trades] == [(None, early), (late, PLAIN)]
    assert (found.matched, found.only_live, found.only_backtest) == (1, 0, 1)
    assert found.signal == D(-100)


PRICES = st.decimals("1", "100", places=2)
TRADES = st.lists(
    st.builds(
        ComparedTrade,
        st.sampled_from(["AAPL", "MSFT"]),
        st.decimals("0.5", "500", places=1),
        st.integers(0, 30).map(at),
        st.integers(31, 60).map(at),
        PRICES,
        PRICES,
        PRICES,
        PRICES,
        st.decimals("0", "5", places=2),
        st.booleans(),
    ),
    max_size=6,
)


@given(TRADES, TRADES)
def test_the_parts_add_up_to_the_difference(
    live: list[ComparedTrade], backtest: list[ComparedTrade]
) -> None:
    parts = divergence(live, backtest)
    profit = sum((one.profit for one in live), D(0)) - sum((one.profit for one in backtest), D(0))
    assert parts.total == profit == sum((one.total for one in parts.trades), D(0))
    assert parts.matched + parts.only_live == len(live)
    assert parts.matched + parts.only_backtest == len(backtest)

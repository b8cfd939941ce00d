"""Days of trades while the broker keeps failing: each intent once, each cent in its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tests.crash_points.ground import CASH, Ground
from tests.crash_points.judgement import LONGEST_NAKED, Books, sent_blindly
from tests.soak.days import FAILING, SYMBOLS, Soak, bars, sessions, trade

SEED = 11
CENT = Decimal("0.01")
# Of the entries and exits that the broker could have accepted.
EXECUTED = Decimal("0.999")


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints past pytest, which keeps what a test that passes prints to itself."""

    def print_figures(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}")  # noqa: T201 - the figures are the result

    return print_figures


def test_an_hour(tmp_path: Path, tell: Callable[[str], None]) -> None:
    _soak(tmp_path, days=1, minutes=35, trades=60, tell=tell)


@pytest.mark.slow
def test_a_thousand_trades_in_four_sessions(tmp_path: Path, tell: Callable[[str], None]) -> None:
    _soak(tmp_path, days=4, minutes=120, trades=1_000, tell=tell)


@dataclass(frozen=True)
class Figures:
    """Both sides when all days are over."""

    trades: int
    wanted: int
    executed: int
    lost: list[str]
    cash: Decimal
    equity: Decimal
    reckoned: Decimal


def _soak(folder: Path, days: int, minutes: int, trades: int, tell: Callable[[str], None]) -> None:
    with Ground(folder, bars(days, SEED), SYMBOLS) as ground:
        soak = trade(ground, sessions(days), minutes, SEED)
        books = Books.read(ground)
        figures = _figures(ground, books, soak)
        summary = ground.exchange.control.summary()
    tell(_text(soak, figures, books))
    assert figures.trades >= trades
    # None twice, none lost.
    ours = {intent["intent_id"] for intent in books.intents}
    per_id = Counter(o["client_order_id"] for o in books.orders if o["client_order_id"] in ours)
    assert [order_id for order_id, count in per_id.items() if count > 1] == []
    assert books.unresolved == []
    assert sent_blindly(soak.calls) == []
    assert Decimal(figures.executed) >= EXECUTED * figures.wanted, figures.lost
    # Each cent in its place.
    assert books.held == books.positions
    assert abs(books.realised - books.broker_realised) < CENT
    assert figures.cash == Decimal(summary["cash"])
    assert figures.equity == Decimal(summary["equity"])
    assert abs(figures.reckoned - Decimal(summary["cash"])) < CENT
    assert soak.longest_naked <= LONGEST_NAKED


def _figures(ground: Ground, books: Books, soak: Soak) -> Figures:
    ((trades, reckoned),) = ground.owner.run(
        "SELECT count(*), sum(fill_qty * fill_price * CASE side WHEN 'buy' THEN -1 ELSE 1 END)"
        " FROM trades WHERE account = :account",
        account=ground.account,
    )
    ((cash, equity),) = ground.owner.run(
        "SELECT cash, equity FROM account_snapshots WHERE account = :account"
        " ORDER BY as_of DESC LIMIT 1",
        account=ground.account,
    )
    sent = {order["client_order_id"] for order in books.orders}
    wanted = [
        intent
        for intent in books.intents
        if intent["kind"] in ("entry", "exit")
        and intent["intent_id"] not in soak.stuck
        # The broker's own word that it takes no more requests for a while.
        and intent["code"] != "broker_rate_limit"
    ]
    # An exit whose shares the stop had sold has done what it was for.
    lost = [
        f"{intent['kind']} {intent['intent_id']} {intent['status']} "
        f"({intent['code']}: {intent['reason']})"
        for intent in wanted
        if intent["intent_id"] not in sent and intent["status"] != "not_needed"
    ]
    return Figures(
        trades=trades,
        wanted=len(wanted),
        executed=len(wanted) - len(lost),
        lost=lost,
        cash=cash,
        equity=equity,
        reckoned=CASH + (reckoned or Decimal(0)),
    )


def _text(soak: Soak, figures: Figures, books: Books) -> str:
    errors = Counter(call.error for call in soak.calls if call.error)
    return "\n".join(
        [
            f"soak: {figures.trades} trades, {soak.runs} runs of which {soak.failed_runs} failed, "
            f"{FAILING:.0%} of the broker's calls failing ({dict(errors)})",
            f"  entries and exits: {figures.wanted}, executed {figures.executed}, "
            f"lost {len(figures.lost)}",
            *(f"    {text}" for text in figures.lost),
            f"  exits whose stop's cancellation stuck: {len(soak.stuck)}",
            f"  other outcomes that were not known at first: {len(soak.unclear) - len(soak.stuck)}",
            *(f"    {i} {why}" for i, why in soak.unclear.items() if i not in soak.stuck),
            f"  cash {figures.cash}, reckoned from trades {figures.reckoned}; "
            f"equity {figures.equity}",
            f"  realised {books.realised}, the exchange says {books.broker_realised}",
            f"  held {books.held}, the exchange {books.positions}",
            f"  longest without protection {soak.longest_naked.total_seconds():.1f} s",
        ]
    )

"""Live against backtest: the difference in profit, split into signal, fill, cost and timing.

- **signal**: trades that only one of the two made, and equal minutes decided on at other prices;
- **timing**: the same trade decided on in another minute, through the change of the price between;
- **fill**: what was got beside the price decided on, quantities that differ, and stops that were
  reached in the same minute at other prices, because a stop follows from the price bought at;
- **cost**: fees.

The four add up to the difference exactly. USD; live less backtest, so negative is live's loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

# Two trades in a symbol whose entries were decided on this close to each other are the same trade.
SAME_TRADE = timedelta(minutes=5)

_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class ComparedTrade:
    """A closed round trip as either side made it. ``..._decided_at`` are starts of bars,
    ``..._decision_price`` their closes; ``cost`` are its fees (USD, zero or more). ``by_stop``: a
    stop sold, decided on at its price in the minute in which it did."""

    symbol: str
    quantity: Decimal
    entry_decided_at: datetime
    exit_decided_at: datetime
    entry_decision_price: Decimal
    exit_decision_price: Decimal
    entry_price: Decimal
    exit_price: Decimal
    cost: Decimal
    by_stop: bool = False

    @property
    def profit(self) -> Decimal:
        return self.quantity * (self.exit_price - self.entry_price) - self.cost


@dataclass(frozen=True, slots=True)
class TradeDivergence:
    """One trade of both sides, or of one alone (the other is None), and the parts of the difference
    in its profit. ``entry_decided_at``: live's, where live made it."""

    symbol: str
    entry_decided_at: datetime
    live: ComparedTrade | None
    backtest: ComparedTrade | None
    signal: Decimal = _NONE
    fill: Decimal = _NONE
    cost: Decimal = _NONE
    timing: Decimal = _NONE

    @property
    def total(self) -> Decimal:
        return self.signal + self.fill + self.cost + self.timing


@dataclass(frozen=True, slots=True)
class Divergence:
    """Trade by trade, by the time their entries were decided."""

    trades: Sequence[TradeDivergence]

    @property
    def signal(self) -> Decimal:
        return sum((one.signal for one in self.trades), _NONE)

    @property
    def fill(self) -> Decimal:
        return sum((one.fill for one in self.trades), _NONE)

    @property
    def cost(self) -> Decimal:
        return sum((one.cost for one in self.trades), _NONE)

    @property
    def timing(self) -> Decimal:
        return sum((one.timing for one in self.trades), _NONE)

    @property
    def total(self) -> Decimal:
        return self.signal + self.fill + self.cost + self.timing

    @property
    def matched(self) -> int:
        """Trades that both made."""
        return sum(1 for one in self.trades if one.live and one.backtest)

    @property
    def only_live(self) -> int:
        return sum(1 for one in self.trades if one.backtest is None)

    @property
    def only_backtest(self) -> int:
        return sum(1 for one in self.trades if one.live is None)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was not compared, or that only one side knows, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Reference:
    """The backtest of a session, as far as there could be one.

    ``mode``: what the session was traded in; None: in none, or in several. ``trades``: the
    backtest's round trips, what is open at the end valued at the last price; None: there was
    no backtest, and ``not_compared`` says why. ``symbols``: those that were compared.
    ``not_compared``: what was left out on both sides, and why. ``unlike``: what the backtest did
    not know; its effect is part of the difference. ``decisions``: of live trading, in these
    symbols; ``alike``: those with the backtest's action and reason code. ``left_out``: the other
    symbols that were decided on.
    """

    mode: str | None
    trades: Sequence[ComparedTrade] | None
    symbols: frozenset[str] = frozenset()
    not_compared: Sequence[Remark] = ()
    unlike: Sequence[Remark] = ()
    decisions: int = 0
    alike: int = 0
    left_out: frozenset[str] = frozenset()


def divergence(live: Sequence[ComparedTrade], backtest: Sequence[ComparedTrade]) -> Divergence:
    """Live's profit less the backtest's, split."""
    pairs, only_live, only_backtest = _matched(live, backtest)
    found = [_of_pair(ours, theirs) for ours, theirs in pairs]
    found += [
        TradeDivergence(one.symbol, one.entry_decided_at, one, None, signal=one.profit)
        for one in only_live
    ]
    found += [
        TradeDivergence(one.symbol, one.entry_decided_at, None, one, signal=-one.profit)
        for one in only_backtest
    ]
    return Divergence(sorted(found, key=lambda one: (one.entry_decided_at, one.symbol)))


def _of_pair(ours: ComparedTrade, theirs: ComparedTrade) -> TradeDivergence:
    signal = timing = _NONE
    same_stop = ours.by_stop and theirs.by_stop and ours.exit_decided_at == theirs.exit_decided_at
    decided = theirs.exit_decision_price if same_stop else ours.exit_decision_price
    for at_other_minute, effect in (
        (
            ours.entry_decided_at != theirs.entry_decided_at,
            theirs.entry_decision_price - ours.entry_decision_price,
        ),
        (ours.exit_decided_at != theirs.exit_decided_at, decided - theirs.exit_decision_price),
    ):
        if at_other_minute:
            timing += theirs.quantity * effect
        else:
            signal += theirs.quantity * effect
    fill = theirs.quantity * (
        _slipped(ours, decided) - _slipped(theirs, theirs.exit_decision_price)
    )
    fill += (ours.quantity - theirs.quantity) * (ours.exit_price - ours.entry_price)
    cost = theirs.cost - ours.cost
    return TradeDivergence(
        ours.symbol, ours.entry_decided_at, ours, theirs, signal, fill, cost, timing
    )


def _slipped(trade: ComparedTrade, exit_decided: Decimal) -> Decimal:
    """What the fills of both sides added to the decided prices, per share (negative: lost)."""
    return (trade.exit_price - exit_decided) - (trade.entry_price - trade.entry_decision_price)


def _matched(
    live: Iterable[ComparedTrade], backtest: Iterable[ComparedTrade]
) -> tuple[list[tuple[ComparedTrade, ComparedTrade]], list[ComparedTrade], list[ComparedTrade]]:
    """Pairs of the same symbol by nearest entries, each trade in one pair at most; and the rest."""
    ours, theirs = _in_order(live), _in_order(backtest)
    candidates = sorted(
        (abs(mine.entry_decided_at - other.entry_decided_at), i, j)
        for i, mine in enumerate(ours)
        for j, other in enumerate(theirs)
        if mine.symbol == other.symbol
        and abs(mine.entry_decided_at - other.entry_decided_at) <= SAME_TRADE
    )
    taken: dict[int, int] = {}
    for _, i, j in candidates:
        if i not in taken and j not in taken.values():
            taken[i] = j
    pairs = [(ours[i], theirs[j]) for i, j in sorted(taken.items())]
    used = set(taken.values())
    return (
        pairs,
        [one for i, one in enumerate(ours) if i not in taken],
        [one for j, one in enumerate(theirs) if j not in used],
    )


def _in_order(trades: Iterable[ComparedTrade]) -> list[ComparedTrade]:
    return sorted(trades, key=lambda one: (one.entry_decided_at, one.symbol, one.exit_decided_at))

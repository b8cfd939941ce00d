"""From wishes to intents: what each symbol gets in one run, and why.

Order of business for a symbol: an exit comes before protection, protection before an entry; an
entry that did not fill in the run it was made for is cancelled before anything else is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid5

from tradewind.market.bar import Bar, to_iso
from tradewind.market.cycle import Cycle
from tradewind.market.ports import DailyBar
from tradewind.orders.ids import intent_id
from tradewind.orders.model import (
    BrokerAccount,
    BrokerOrder,
    BrokerPosition,
    IntentKind,
    OrderClass,
    OrderIntent,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.orders.prices import entry_limit, initial_stop
from tradewind.orders.protection import Need, ProtectionNeed, protection_need, resting_stops
from tradewind.portfolio.model import Holding
from tradewind.risk.checks import EntryRequest, committed_exposure, first_refusal
from tradewind.risk.limits import RiskLimits
from tradewind.risk.sizing import daily_atr, entry_size
from tradewind.strategies.decision import Action, Decision

DECISION_NAMESPACE = UUID("7c1d2a44-91c0-5a53-a6a7-2b1f9f0e4d02")

# Exits first: they free buying power and never wait behind an entry.
_SENDING_ORDER = (
    IntentKind.EXIT,
    IntentKind.CANCEL_ENTRY,
    IntentKind.CANCEL_STOP,
    IntentKind.PROTECT,
    IntentKind.REPRICE,
    IntentKind.ENTRY,
)


@dataclass(frozen=True, slots=True)
class StrategyWish:
    """What a strategy wants for one symbol; ``bar`` is the newest bar it saw."""

    symbol: str
    strategy: str
    action: Action
    reason_code: str
    reason: str
    bar: Bar


@dataclass(frozen=True, slots=True)
class Book:
    """All that is known when a run decides. Mappings are by symbol.

    ``account`` and ``broker_as_of`` are None until the broker was read once; ``orders_of_ours``
    maps a broker's order id to our intent; ``highs`` are since each holding's entry; ``daily`` the
    sessions before this one; ``revisions`` the highest revision of protective intents used;
    ``missing`` the minutes that should be there, and are not, among the bars a decision looks back
    over (a symbol without such minutes may be absent).
    """

    account: BrokerAccount | None
    broker_as_of: datetime | None
    holdings: Mapping[str, Holding]
    positions: Mapping[str, BrokerPosition]
    open_orders: Sequence[BrokerOrder]
    orders_of_ours: Mapping[str, str]
    unresolved: Sequence[OrderIntent]
    highs: Mapping[str, Decimal]
    daily: Mapping[str, Sequence[DailyBar]]
    revisions: Mapping[str, int]
    missing: Mapping[str, Sequence[datetime]]


@dataclass(frozen=True, slots=True)
class Assessment:
    decisions: tuple[Decision, ...]
    intents: tuple[OrderIntent, ...]


@dataclass(slots=True)
class _Funds:
    """What is left to spend in this run; shrinks with each entry."""

    exposure: Decimal
    buying_power: Decimal


def assess(
    cycle: Cycle, wishes: Sequence[StrategyWish], book: Book, limits: RiskLimits
) -> Assessment:
    """Decisions for every wish, and the intents that follow, in the order they are to be sent."""
    funds = _Funds(
        committed_exposure(tuple(book.positions.values()), book.open_orders, book.unresolved),
        book.account.buying_power if book.account else Decimal(0),
    )
    decisions: list[Decision] = []
    intents: list[OrderIntent] = []
    for wish in wishes:
        decision, intent = _assess_symbol(cycle, wish, book, limits, funds)
        decisions.append(decision)
        if intent is not None:
            intents.append(intent)
    intents.sort(key=lambda intent: (_SENDING_ORDER.index(intent.kind), intent.symbol))
    return Assessment(tuple(decisions), tuple(intents))


def _assess_symbol(
    cycle: Cycle, wish: StrategyWish, book: Book, limits: RiskLimits, funds: _Funds
) -> tuple[Decision, OrderIntent | None]:
    holding = book.holdings.get(wish.symbol)
    held = holding is not None and holding.quantity > 0
    if cycle.run_at >= cycle.session.close:
        idle = Action.HOLD if held else Action.WAIT
        return _decision(
            cycle, wish, idle, "session_over", "the session closed: no order from the last bar"
        ), None
    late_entry = _open_entry(wish.symbol, book)
    if late_entry is not None:
        return _cancel_entry(cycle, wish, late_entry, book)
    if held and holding is not None:
        return _assess_holding(cycle, wish, holding, book, limits)
    stray = resting_stops(_ours(wish.symbol, book), wish.symbol)
    if stray:
        return _cancel_stray_stop(cycle, wish, stray[0], book)
    if wish.action is not Action.ENTER:
        return _decision(cycle, wish, Action.WAIT, wish.reason_code, wish.reason), None
    return _assess_entry(cycle, wish, book, limits, funds)


def _ours(symbol: str, book: Book) -> list[BrokerOrder]:
    """Our open orders of a symbol; foreign ones protect nothing of ours and are never touched."""
    return [
        order
        for order in book.open_orders
        if order.symbol == symbol and order.order_id in book.orders_of_ours
    ]


def _open_entry(symbol: str, book: Book) -> BrokerOrder | None:
    for order in _ours(symbol, book):
        if order.side is Side.BUY:
            return order
    return None


def _cancel_entry(
    cycle: Cycle, wish: StrategyWish, order: BrokerOrder, book: Book
) -> tuple[Decision, OrderIntent]:
    reason = f"entry {order.client_order_id} did not fill in its run ({order.filled_quantity} of "
    reason += f"{order.quantity}): it is cancelled and its filled part protected"
    reference = order.limit_price or wish.bar.close
    intent = _intent(
        cycle,
        wish,
        book,
        IntentKind.CANCEL_ENTRY,
        quantity=order.quantity,
        order_type=OrderType.STOP,
        stop_price=initial_stop(reference),
        target=order.order_id,
        reason=reason,
    )
    return _decision(cycle, wish, Action.WAIT, "entry_not_filled", reason), intent


def _cancel_stray_stop(
    cycle: Cycle, wish: StrategyWish, stop: BrokerOrder, book: Book
) -> tuple[Decision, OrderIntent]:
    """A stop without shares behind it: after an exit whose sale was thought to have failed."""
    reason = f"stop {stop.order_id} has no shares behind it: triggered, it would sell short"
    intent = _intent(
        cycle,
        wish,
        book,
        IntentKind.CANCEL_STOP,
        quantity=stop.quantity,
        order_type=OrderType.STOP,
        stop_price=stop.stop_price,
        target=stop.order_id,
        reason=reason,
    )
    return _decision(cycle, wish, Action.WAIT, "stray_stop", reason), intent


def _assess_holding(
    cycle: Cycle, wish: StrategyWish, holding: Holding, book: Book, limits: RiskLimits
) -> tuple[Decision, OrderIntent | None]:
    exit_order = _working_exit(holding.symbol, book)
    if exit_order is not None:
        return _decision(
            cycle,
            wish,
            Action.HOLD,
            "exit_working",
            f"exit {exit_order.client_order_id} is still {exit_order.status}",
        ), None
    need = protection_need(
        symbol=holding.symbol,
        quantity=holding.quantity,
        avg_entry_price=holding.avg_price,
        highest_high=book.highs.get(holding.symbol),
        last_close=wish.bar.close,
        open_orders=_ours(holding.symbol, book),
    )
    why_out = _why_exit(cycle, wish, need, limits)
    if why_out is not None:
        code, reason = why_out
        stops = resting_stops(_ours(holding.symbol, book), holding.symbol)
        intent = _intent(
            cycle,
            wish,
            book,
            IntentKind.EXIT,
            quantity=holding.quantity,
            order_type=OrderType.MARKET,
            stop_price=need.stop_price,
            target=stops[0].order_id if stops else None,
            reason=f"{code}: {reason}",
        )
        decision = _decision(cycle, wish, Action.EXIT, code, reason, holding.quantity)
        return decision, intent
    decision = _decision(cycle, wish, Action.HOLD, wish.reason_code, wish.reason)
    if need.need is Need.NOTHING:
        return decision, None
    raising = need.need is Need.RAISE
    return decision, _intent(
        cycle,
        wish,
        book,
        IntentKind.REPRICE if raising else IntentKind.PROTECT,
        quantity=need.quantity,
        order_type=OrderType.STOP,
        stop_price=need.stop_price,
        target=need.order.order_id if need.order else None,
        reason=need.reason,
    )


def _working_exit(symbol: str, book: Book) -> BrokerOrder | None:
    for order in _ours(symbol, book):
        if order.side is Side.SELL and order.order_type != "stop":
            return order
    return None


def _why_exit(
    cycle: Cycle, wish: StrategyWish, need: ProtectionNeed, limits: RiskLimits
) -> tuple[str, str] | None:
    flat_from = cycle.session.close - limits.flat_before_close
    if cycle.run_at >= flat_from:
        return "session_end", f"positions are closed from {to_iso(flat_from)} on"
    if wish.action is Action.EXIT:
        return wish.reason_code, wish.reason
    if need.need is Need.SELL:
        return "trailing_stop_passed", need.reason
    return None


def _assess_entry(
    cycle: Cycle, wish: StrategyWish, book: Book, limits: RiskLimits, funds: _Funds
) -> tuple[Decision, OrderIntent | None]:
    refusal = first_refusal(
        EntryRequest(
            symbol=wish.symbol,
            bar_time=cycle.bar_time,
            newest_bar=wish.bar.start,
            missing=book.missing.get(wish.symbol, ()),
            session=cycle.session,
            account=book.account,
            broker_as_of=book.broker_as_of,
            open_orders=book.open_orders,
            unresolved=book.unresolved,
            foreign=book.positions.get(wish.symbol),
            limits=limits,
        )
    )
    if refusal is not None or book.account is None:
        code, reason = (refusal.code, refusal.reason) if refusal else ("no_account", "")
        return _decision(cycle, wish, Action.WAIT, code, reason), None
    price = entry_limit(wish.bar.close)
    stop = initial_stop(wish.bar.close)
    size = entry_size(
        equity=book.account.equity,
        exposure=funds.exposure,
        buying_power=funds.buying_power,
        limit_price=price,
        stop_price=stop,
        atr=daily_atr(book.daily.get(wish.symbol, ()), limits.daily_atr_sessions),
        limits=limits,
    )
    if size.quantity == 0:
        return _decision(
            cycle,
            wish,
            Action.WAIT,
            "no_size",
            f"not one share is worth buying at {price}: limited by {size.limited_by}",
        ), None
    funds.exposure += size.quantity * price
    funds.buying_power -= size.quantity * price
    intent = _intent(
        cycle,
        wish,
        book,
        IntentKind.ENTRY,
        quantity=size.quantity,
        order_type=OrderType.LIMIT,
        limit_price=price,
        stop_price=stop,
        reason=f"{wish.reason_code}: {wish.reason}; size limited by {size.limited_by}",
        expires_at=cycle.run_at + limits.entry_lifetime,
    )
    decision = _decision(cycle, wish, Action.ENTER, wish.reason_code, wish.reason, size.quantity)
    return decision, intent


def _decision(
    cycle: Cycle,
    wish: StrategyWish,
    action: Action,
    code: str,
    reason: str,
    quantity: Decimal = Decimal(0),
) -> Decision:
    name = f"{cycle.account}|{wish.strategy}|{cycle.mode}|{wish.symbol}|{to_iso(cycle.bar_time)}"
    return Decision(
        decision_id=uuid5(DECISION_NAMESPACE, name),
        account=cycle.account,
        strategy=wish.strategy,
        mode=cycle.mode,
        symbol=wish.symbol,
        bar_time=cycle.bar_time,
        wanted=wish.action,
        action=action,
        reason_code=code,
        reason=reason,
        close=wish.bar.close,
        quantity=quantity,
    )


def _intent(
    cycle: Cycle,
    wish: StrategyWish,
    book: Book,
    kind: IntentKind,
    *,
    quantity: Decimal,
    order_type: OrderType,
    reason: str,
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
    target: str | None = None,
    expires_at: datetime | None = None,
) -> OrderIntent:
    entry = kind is IntentKind.ENTRY
    side = Side.BUY if entry else Side.SELL
    revision = 0 if entry else book.revisions.get(wish.symbol, 0) + 1
    return OrderIntent(
        intent_id=intent_id(
            deployment=cycle.deployment,
            account=cycle.account,
            strategy=wish.strategy,
            mode=cycle.mode,
            session=cycle.session.date,
            bar_time=cycle.bar_time,
            symbol=wish.symbol,
            side=side,
            kind=kind,
            revision=revision,
        ),
        account=cycle.account,
        strategy=wish.strategy,
        mode=cycle.mode,
        session=cycle.session.date,
        bar_time=cycle.bar_time,
        symbol=wish.symbol,
        kind=kind,
        side=side,
        quantity=quantity,
        order_type=order_type,
        # An OTO's time in force is its legs' too: the stop must outlive the day.
        time_in_force=TimeInForce.DAY if kind is IntentKind.EXIT else TimeInForce.GTC,
        order_class=OrderClass.OTO if entry else OrderClass.SIMPLE,
        limit_price=limit_price,
        stop_price=stop_price,
        decision_price=wish.bar.close,
        revision=revision,
        target_order_id=target,
        expires_at=expires_at,
        reason=reason,
    )

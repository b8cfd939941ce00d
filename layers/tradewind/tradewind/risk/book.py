"""All that is known when a run decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from tradewind.market.corporate_actions import CorporateAction
from tradewind.market.ports import DailyBar
from tradewind.orders.control import SwitchState
from tradewind.orders.model import BrokerAccount, BrokerOrder, BrokerPosition, OrderIntent
from tradewind.portfolio.model import Holding
from tradewind.risk.allocation import Allotment
from tradewind.risk.permission import UNRESTRICTED, Permission
from tradewind.risk.protections import Protected
from tradewind.risk.restrictions import Restriction

if TYPE_CHECKING:
    from tradewind.portfolio.differences import QuantityDifference


@dataclass(frozen=True, slots=True)
class Book:
    """Mappings are by symbol.

    ``account`` and ``broker_as_of`` are None until the broker was read once; ``orders_of_ours``
    maps a broker's order id to our intent; ``highs`` are since each holding's entry; ``daily`` the
    sessions before this one; ``revisions`` the highest revision of protective intents used;
    ``missing`` the minutes that should be there, and are not, among the bars a decision looks back
    over (a symbol without such minutes may be absent).

    ``differences`` are the quantities that nothing explains, ``strangers`` the orders of another
    deployment; ``failed_protection`` counts how often in a row a symbol's protection was refused
    (a symbol whose last one was not may be absent). ``allotments`` say how much of the account the
    symbol's strategy may use (all of it where a symbol has none).

    ``switch`` is the trading switch, None when it could not be read. ``protected`` are the locks in
    force and the size they leave. ``bar_starts`` are each symbol's bars in ``recent_minutes``, the
    regular minutes up to the decided one. ``decided`` are the strategies and symbols that have a
    decision on this minute; ``entries_today`` and ``capital_today`` (USD) what was committed in
    this session. ``untradable`` and ``configuration_faults`` are the broker's word of the morning.

    ``holdings`` and ``highs`` are in the session's units. ``split_since``: the newest split since a
    holding was opened; stops from before it are in the old units. ``split_due``: the split that is
    known for the session after this one. ``action_due``: another corporate action of this session
    or of the one after it. ``permission`` is what people have allowed.
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
    differences: Sequence[QuantityDifference] = ()
    strangers: Sequence[BrokerOrder] = ()
    failed_protection: Mapping[str, int] = field(default_factory=dict)
    allotments: Mapping[str, Allotment] = field(default_factory=dict)
    switch: SwitchState | None = SwitchState.ACTIVE
    protected: Protected = field(default_factory=Protected)
    bar_starts: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    recent_minutes: Sequence[datetime] = ()
    decided: Collection[tuple[str, str]] = ()
    restrictions: Sequence[Restriction] = ()
    entries_today: int = 0
    capital_today: Decimal = Decimal(0)
    untradable: Collection[str] = ()
    configuration_faults: Sequence[str] = ()
    split_since: Mapping[str, date] = field(default_factory=dict)
    split_due: Mapping[str, date] = field(default_factory=dict)
    action_due: Mapping[str, CorporateAction] = field(default_factory=dict)
    permission: Permission = UNRESTRICTED

    def ours(self, symbol: str) -> list[BrokerOrder]:
        """Our open orders of a symbol; foreign ones protect nothing of ours and are never
        touched."""
        return [
            order
            for order in self.open_orders
            if order.symbol == symbol and order.order_id in self.orders_of_ours
        ]

    def held(self, symbol: str) -> Holding | None:
        """What we hold of a symbol; None when nothing."""
        holding = self.holdings.get(symbol)
        return holding if holding is not None and holding.quantity > 0 else None

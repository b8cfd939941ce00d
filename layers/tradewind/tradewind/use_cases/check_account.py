"""What a snapshot says of the account itself: how it does, how it is set up, and whether its orders
are those that were committed."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.alerts.rules import alert_of_configuration, alert_of_order_comparison
from tradewind.market.cycle import Cycle
from tradewind.orders.comparison import OrderComparison, compare_orders
from tradewind.orders.ids import deployment_tag
from tradewind.orders.model import BrokerOrder, BrokerState
from tradewind.risk.equity import next_mark
from tradewind.use_cases.tell import tell
from tradewind.use_cases.unit_of_work import Stores


def mark_equity(stores: Stores, cycle: Cycle, state: BrokerState) -> None:
    """To be called once the snapshot's activities are stored."""
    day = cycle.session.date
    before = stores.equity.newest(cycle.account)
    if before is not None and before.session > day:
        return
    after = next_mark(
        before,
        session=day,
        as_of=state.as_of,
        equity=state.account.equity,
        transfers=stores.equity.transfers(cycle.account, day),
    )
    if after != before:
        stores.equity.save(cycle.account, after)


def check_configuration(stores: Stores, cycle: Cycle, state: BrokerState) -> None:
    """Kept for the runs of the session, which read the newest one, and told where it is wrong."""
    configuration = state.configuration
    if configuration is None:
        return
    stores.configurations.add(cycle.account, configuration, state.as_of)
    alert = alert_of_configuration(cycle.account, configuration, cycle.session.date, state.as_of)
    tell(stores, cycle.account, [alert] if alert is not None else [])


def check_orders(
    stores: Stores, cycle: Cycle, state: BrokerState, shown: Sequence[BrokerOrder]
) -> OrderComparison:
    """Each minute: the snapshot's orders against the intents that it has to show."""
    since = max(filter(None, (state.listed_since, cycle.session.open)))
    comparison = compare_orders(
        shown,
        stores.orders.foreign(cycle.account, [order.order_id for order in shown]),
        stores.intents.sent(cycle.account, since),
        own_tag=deployment_tag(cycle.deployment),
        as_of=state.as_of,
    )
    if not comparison.agrees:
        tell(
            stores,
            cycle.account,
            [alert_of_order_comparison(cycle.account, comparison, state.as_of)],
        )
    return comparison

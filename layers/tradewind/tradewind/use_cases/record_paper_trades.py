"""The ``paper_trades`` rows of positions that fills have opened, enlarged or closed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tradewind.portfolio.model import Change, Holding
from tradewind.portfolio.paper_trades import PaperTrade, closed_paper_trade, open_paper_trade
from tradewind.use_cases.unit_of_work import Stores


def record_paper_trades(stores: Stores, account: str, changes: Sequence[Change]) -> None:
    """To be called once the changes' trades are stored: a position may have been sold in several
    parts, told by several snapshots, and its row is made from all of them."""
    rows: dict[UUID, PaperTrade] = {}
    for number, change in enumerate(changes):
        opened = open_paper_trade(account, change.after)
        if opened is not None:
            rows[opened.trade_id] = opened
        elif change.after.quantity == 0:
            closed = _closed(stores, account, change.before, changes[number + 1 :])
            if closed is not None:
                rows[closed.trade_id] = closed
    stores.paper_trades.save(list(rows.values()))


def _closed(
    stores: Stores, account: str, before: Holding, later: Sequence[Change]
) -> PaperTrade | None:
    """``later`` changes may be of the symbol's next position, whose sales are not this one's."""
    if before.opened_at is None:
        return None
    following = {change.trade.trade_id for change in later}
    sales = stores.trades.sales_since(account, before.symbol, before.opened_at)
    return closed_paper_trade(
        account,
        before,
        [sale for sale in sales if sale.trade_id not in following],
        stores.position_splits.of(account, [before.symbol]),
    )

"""What the order path is doing when it is killed: one scenario for each of its procedures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import requests
from tradewind.market.bar import MINUTE, Bar
from tradewind.orders.ids import protect_id
from tradewind.orders.model import IntentKind
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Wish

from tests.crash_points.ground import OPEN, Ground
from tests.crash_points.splits import BEFORE_OPEN, NEXT_OPEN, SPLITS, Split, convert, next_session

# The first minute decided on: entries are allowed then.
START = OPEN + 30 * MINUTE
MINUTES = 20
KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}

# The price of each minute from START on (its bar is flat); the last one stays.
PRICES = {
    "FLAT": ("100",),
    # Runs away from an entry that was decided on at 100, and whose limit is 100.30.
    "AWAY": ("100", "101"),
    # Pulls the trailing stop of a position up, from 98.50 to 102.44.
    "RISE": ("100", "100", "104"),
    # Falls through the stop of a position.
    "DROP": ("100", "100", "98"),
    # Are split in the night; what they cost after it is in SPLITS.
    "FORWARD": ("140",),
    "REVERSE": ("100",),
}


def market() -> list[Bar]:
    """Half an hour at the first price, then what PRICES say; for some a next session."""
    bars = next_session()
    for symbol, prices in PRICES.items():
        for minute in range(-30, MINUTES):
            price = Decimal(prices[min(max(minute, 0), len(prices) - 1)])
            bars.append(
                Bar(symbol, START + minute * MINUTE, *(price,) * 4, volume=1000, feed="iex")
            )
    return bars


@dataclass(frozen=True)
class Scripted:
    """A strategy that wishes what it is told."""

    action: Action
    name: str = "scripted"
    bars_needed: int = 1
    needs_prediction: bool = False

    def decide(self, view: MarketView) -> Wish:
        return Wish(self.action, "told", "told to")


def _nothing(ground: Ground) -> None:
    """Nobody else does anything."""


def _cancel_stops(ground: Ground) -> None:
    """Somebody cancels the resting stop by hand."""
    for order in ground.exchange.control.summary()["orders"]:
        if order["type"] == "stop" and order["status"] == "new":
            answer = requests.delete(
                f"{ground.exchange.url}/v2/orders/{order['id']}", headers=KEYS, timeout=10
            )
            answer.raise_for_status()


def _refuse_sale(ground: Ground) -> None:
    """The broker refuses the next order as it refuses one for shares that it holds."""
    body = {"code": 40310000, "message": "insufficient qty available for order"}
    ground.exchange.control.add_faults(
        [{"method": "POST", "path": "/v2/orders", "status": 403, "body": body}]
    )


def _leave_a_stop_without_shares(ground: Ground) -> None:
    """A stop of ours rests, and the shares behind it go without an order: bought by hand, they are
    gone with a reverse split that pays out fractions."""
    ((exit_id,),) = ground.owner.run(
        "SELECT intent_id FROM order_intents WHERE account = :account AND kind = 'exit'",
        account=ground.account,
    )
    by_hand = {"symbol": "FLAT", "qty": "10"}
    _order(ground, **by_hand, side="buy", type="market", time_in_force="day")
    _order(
        ground, **by_hand, side="sell", type="stop", stop_price="98.50", time_in_force="gtc",
        client_order_id=protect_id(exit_id),
    )  # fmt: skip
    ground.exchange.control.split("FLAT", Decimal(1), Decimal(1_000))


def _order(ground: Ground, **body: str) -> None:
    answer = requests.post(f"{ground.exchange.url}/v2/orders", json=body, headers=KEYS, timeout=10)
    answer.raise_for_status()


def _convert_and_trade_slowly(ground: Ground) -> None:
    """The stop in old units, which the first trade triggers, sells a share with each."""
    convert(ground)
    ground.exchange.control.limit_fills(Decimal(1))


def _refuse_nothing(ground: Ground) -> None:
    """The next order, which may not be the sale, is not the one to be refused."""
    ground.exchange.control.clear_faults()


@dataclass(frozen=True)
class Scenario:
    """``setup`` is what the strategy wishes in the minutes before, ``action`` in the minute that is
    killed, ``after`` from then on. ``sends`` is the kind of intent that the minute must send when
    nothing goes wrong; ``held`` whether shares are held in the end whatever goes wrong (None:
    either may be right), ``held_undisturbed`` whether they are when nothing does."""

    name: str
    symbol: str
    setup: tuple[Action, ...]
    action: Action
    after: Action
    sends: IntentKind | None
    held_undisturbed: bool
    held: bool | None = None
    before: Callable[[Ground], None] = _nothing
    afterwards: Callable[[Ground], None] = _nothing  # once the killed run is over
    shares_per_tick: Decimal | None = None
    stop_price: Decimal | None = None  # where the stop has to rest in the end
    # An exit cancels the stop before it sells, and may have to wait for the confirmation.
    naked_undisturbed: timedelta = timedelta(seconds=8)
    # The killed run is not the minute's cycle, which was lost, but the reconciliation after it; of
    # a position held over the night of a split, the reconciliation before the open.
    reconciles: bool = False
    by_hand: bool = False  # shares come and go by hand as well: what they earn is not ours

    @property
    def split(self) -> Split | None:
        """The one in the night between the setup and the killed run."""
        return SPLITS.get(self.symbol)

    @property
    def killed_minute(self) -> datetime:
        """The bar that the killed run decides on."""
        if self.split is None:
            return START + len(self.setup) * MINUTE
        return BEFORE_OPEN if self.reconciles else NEXT_OPEN

    def minute_after(self, number: int) -> datetime:
        """The bar that a run after the killed one decides on, counted from 1."""
        if self.killed_minute == BEFORE_OPEN:
            return NEXT_OPEN + (number - 1) * MINUTE
        return self.killed_minute + number * MINUTE


# What only the next run can see and repair.
NEXT_RUN = timedelta(seconds=62)
# What is naked at the open: no run came before the first one, so that the four seconds count which
# a run takes to begin and to read. Between two runs they cancel out.
FIRST_RUN = timedelta(seconds=4 + 60 + 8)
_BOUGHT = (Action.ENTER,)
# A run more, which records the fill of the entry.
_HELD = (Action.ENTER, Action.HOLD)

SCENARIOS = (
    Scenario(
        "entry", "FLAT", (), Action.ENTER, Action.HOLD, IntentKind.ENTRY, held_undisturbed=True
    ),
    Scenario(
        # Two shares a tick fill a part of the 249 within the minute.
        "cancel a partly filled entry", "FLAT", _BOUGHT, Action.HOLD, Action.HOLD,
        IntentKind.CANCEL_ENTRY, held_undisturbed=True, held=True, shares_per_tick=Decimal(2),
        naked_undisturbed=NEXT_RUN,
    ),
    Scenario(
        "cancel an unfilled entry", "AWAY", _BOUGHT, Action.WAIT, Action.WAIT,
        IntentKind.CANCEL_ENTRY, held_undisturbed=False, held=False,
    ),
    Scenario(
        "exit", "FLAT", _BOUGHT, Action.EXIT, Action.EXIT, IntentKind.EXIT,
        held_undisturbed=False, held=False,
    ),
    Scenario(
        # And nobody wants to leave any more: the stop that was put back has to stay.
        "exit whose sale is refused", "FLAT", _BOUGHT, Action.EXIT, Action.HOLD, IntentKind.EXIT,
        held_undisturbed=True, before=_refuse_sale, afterwards=_refuse_nothing,
    ),
    Scenario(
        "reprice", "RISE", (*_BOUGHT, Action.HOLD), Action.HOLD, Action.HOLD, IntentKind.REPRICE,
        held_undisturbed=True, held=True, stop_price=Decimal("102.44"),
    ),
    Scenario(
        "protect", "FLAT", _BOUGHT, Action.HOLD, Action.HOLD, IntentKind.PROTECT,
        held_undisturbed=True, held=True, before=_cancel_stops, naked_undisturbed=NEXT_RUN,
    ),
    Scenario(
        "reconciliation", "FLAT", _BOUGHT, Action.HOLD, Action.HOLD, IntentKind.PROTECT,
        held_undisturbed=True, held=True, before=_cancel_stops, naked_undisturbed=NEXT_RUN,
        reconciles=True,
    ),
    Scenario(
        "cancel a stop without shares", "FLAT", (*_BOUGHT, Action.EXIT), Action.WAIT, Action.WAIT,
        IntentKind.CANCEL_STOP, held_undisturbed=False, held=False,
        before=_leave_a_stop_without_shares, by_hand=True,
    ),
    Scenario(
        "stop that fills", "DROP", (*_BOUGHT, Action.HOLD), Action.EXIT, Action.EXIT, None,
        held_undisturbed=False, held=False,
    ),
    Scenario(
        "renew a stop before the open", "FORWARD", _HELD, Action.HOLD, Action.HOLD,
        IntentKind.RENEW_STOP, held_undisturbed=True, held=True, before=convert,
        stop_price=Decimal("19.70"), naked_undisturbed=timedelta(0), reconciles=True,
    ),
    Scenario(
        # Of before a reverse split, for more shares than are held: the first run renews it.
        "renew a stop after the open", "REVERSE", _HELD, Action.HOLD, Action.HOLD,
        IntentKind.RENEW_STOP, held_undisturbed=True, held=True, before=convert,
        stop_price=Decimal("295.50"), naked_undisturbed=FIRST_RUN,
    ),
    Scenario(
        # Nobody reconciled before the open.
        "renew a stop that sells", "FORWARD", _HELD, Action.HOLD, Action.HOLD,
        IntentKind.RENEW_STOP, held_undisturbed=True, held=True,
        before=_convert_and_trade_slowly, stop_price=Decimal("19.70"), naked_undisturbed=FIRST_RUN,
    ),
)  # fmt: skip

"""A broker whose calls are checked and counted before they leave: lease, switch, budget, limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from tradewind.errors import RetryableError, ThrottledError
from tradewind.orders.configuration import AccountConfiguration
from tradewind.orders.control import RequestPurpose, TradingControl
from tradewind.orders.model import (
    BrokerAccount,
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    IntentStatus,
    OrderRequest,
    ReplaceRequest,
    Side,
)
from tradewind.orders.ports import Broker
from tradewind.orders.rate_limits import TellsLimits, seconds_until_reset
from tradewind.orders.submission import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    LONGEST_TRY,
    MAX_ATTEMPTS,
    NotSentError,
    Pacing,
)
from tradewind.settings import HardLimits

Answer = TypeVar("Answer")

# How long the broker's own limit is waited for. An entry that has to wait longer is not worth
# sending; protection waits no longer and goes, whatever the broker said.
ENTRY_WAIT = 2.0  # seconds
PROTECTION_WAIT = 3.0


class _CheckedBroker:
    """The Broker Protocol, with a check before each call. A check stops a call by raising."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def _before_purchase(self) -> None:
        """Before a call that may buy."""
        self._before_change()

    def _before_change(self) -> None:
        """Before a call that changes something else."""

    def _before_read(self) -> None:
        """Before a call that changes nothing."""

    def submit(self, request: OrderRequest) -> BrokerOrder:
        if request.side is Side.BUY:
            self._before_purchase()
        else:
            self._before_change()
        return self._broker.submit(request)

    def replace(self, order_id: str, request: ReplaceRequest) -> BrokerOrder:
        self._before_change()
        return self._broker.replace(order_id, request)

    def cancel(self, order_id: str) -> None:
        self._before_change()
        self._broker.cancel(order_id)

    def order(self, order_id: str) -> BrokerOrder | None:
        self._before_read()
        return self._broker.order(order_id)

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        self._before_read()
        return self._broker.order_by_client_id(client_order_id)

    def orders(self, since: datetime) -> list[BrokerOrder]:
        self._before_read()
        return self._broker.orders(since)

    def open_orders(self, symbol: str) -> list[BrokerOrder]:
        self._before_read()
        return self._broker.open_orders(symbol)

    def parent_of(self, order: BrokerOrder) -> BrokerOrder | None:
        self._before_read()
        return self._broker.parent_of(order)

    def fills(self, since: datetime) -> list[BrokerFill]:
        self._before_read()
        return self._broker.fills(since)

    def activities(self, since: datetime) -> list[BrokerActivity]:
        self._before_read()
        return self._broker.activities(since)

    def positions(self) -> list[BrokerPosition]:
        self._before_read()
        return self._broker.positions()

    def account(self) -> BrokerAccount:
        self._before_read()
        return self._broker.account()

    def configuration(self) -> AccountConfiguration:
        self._before_read()
        return self._broker.configuration()

    def configure(self, configuration: AccountConfiguration) -> AccountConfiguration:
        self._before_change()
        return self._broker.configure(configuration)

    def untradable(self, symbols: Sequence[str]) -> list[str]:
        self._before_read()
        return self._broker.untradable(symbols)

    def next_close(self) -> datetime:
        self._before_read()
        return self._broker.next_close()

    def cancel_all(self) -> None:
        self._before_change()
        self._broker.cancel_all()

    def close_position(self, symbol: str) -> BrokerOrder:
        self._before_change()
        return self._broker.close_position(symbol)


class FencedBroker(_CheckedBroker):
    """Changes something only while the lease still carries our fencing number (``fence`` None: it
    could not be read, which stops no protection). ``before_purchase`` is asked last before a call
    that buys, and raises NotSentError when it must not leave.

    A control table that was not there once is asked again for purchases only: each question to it
    may take seconds, and what protects has to be done within the function's time.
    """

    def __init__(
        self,
        broker: Broker,
        control: TradingControl,
        account: str,
        fence: int | None,
        before_purchase: Callable[[], None],
    ) -> None:
        super().__init__(broker)
        self._control = control
        self._account = account
        self._fence = fence
        self._ask = before_purchase
        self._is_dark = False

    @property
    def reads_control(self) -> bool:
        """False once the control table was not there."""
        return not self._is_dark

    def _before_purchase(self) -> None:
        if self._fence is None or not self._control.holds_lease(self._account, self._fence):
            raise _lease_lost()
        self._ask()

    def _before_change(self) -> None:
        if self._fence is None or self._is_dark:
            return
        try:
            held = self._control.holds_lease(self._account, self._fence)
        except RetryableError:
            self._is_dark = True
            return
        if not held:
            raise _lease_lost()


def _lease_lost() -> NotSentError:
    # Not BLOCKED: the run that took over may send what this one was about to.
    return NotSentError(
        IntentStatus.UNKNOWN,
        "another_run_is_sending",
        "another run has taken over sending orders of this account; the next snapshot will tell",
    )


class PatientBroker(_CheckedBroker):
    """Reads again what could not be read, a few times and not for long: a procedure that gave up at
    its first failed question would leave unsent what the broker would have taken. (Looking an order
    up by our id has a patience of its own.)"""

    def __init__(self, broker: Broker, pacing: Pacing) -> None:
        super().__init__(broker)
        self._pacing = pacing
        self._started = pacing.now()

    def order(self, order_id: str) -> BrokerOrder | None:
        return self._patiently(lambda: self._broker.order(order_id))

    def open_orders(self, symbol: str) -> list[BrokerOrder]:
        return self._patiently(lambda: self._broker.open_orders(symbol))

    def parent_of(self, order: BrokerOrder) -> BrokerOrder | None:
        return self._patiently(lambda: self._broker.parent_of(order))

    def positions(self) -> list[BrokerPosition]:
        return self._patiently(self._broker.positions)

    def _patiently(self, read: Callable[[], Answer]) -> Answer:
        for attempt in range(MAX_ATTEMPTS - 1):
            try:
                return read()
            except RetryableError as error:
                if (self._pacing.now() - self._started).total_seconds() > LONGEST_TRY:
                    raise
                named = error.retry_after if isinstance(error, ThrottledError) else None
                pause = max(FIRST_PAUSE * 2**attempt, named or 0.0)
                self._pacing.sleep(min(pause, LONGEST_PAUSE))
        return read()


class MeteredBroker(_CheckedBroker):
    """Takes one request of the budget for each call, and heeds what the broker says of its limit.

    Entries and repricing stop where their budget ends; what they have sent is still followed up,
    out of the reserve. Exits, cancels and protection are counted, and sent also when everything is
    used up: a limit of ours must not leave shares naked. ``overdrawn`` counts those. ``control``
    None: it is known not to be there, and nothing is counted.
    """

    def __init__(
        self,
        broker: Broker,
        control: TradingControl | None,
        account: str,
        purpose: RequestPurpose,
        limits: HardLimits,
        pacing: Pacing,
        told: TellsLimits | None,
    ) -> None:
        super().__init__(broker)
        self._control = control
        self._account = account
        self._purpose = purpose
        self._limits = limits
        self._pacing = pacing
        self._told = told
        self._sent = False
        self.overdrawn = 0

    @property
    def reads_control(self) -> bool:
        """False once the control table was not there."""
        return self._control is not None

    def _before_change(self) -> None:
        self._take(self._purpose)
        self._sent = True

    def _before_read(self) -> None:
        self._take(RequestPurpose.PROTECTION if self._sent else self._purpose)

    def _take(self, purpose: RequestPurpose) -> None:
        self._await_the_broker(purpose)
        if self._control is None:
            return
        try:
            room = self._control.take_request(
                self._account,
                purpose,
                self._pacing.now(),
                self._limits.request_budget,
                self._limits.request_reserve,
            )
        except RetryableError:
            # Uncounted, and not asked again: each question may take seconds. Whether an entry may
            # leave at all is the fence's question.
            self._control = None
            return
        if room:
            return
        if purpose is RequestPurpose.ENTRY:
            raise NotSentError(
                IntentStatus.BLOCKED,
                "request_budget",
                "the request budget for entries and repricing is used up",
            )
        self.overdrawn += 1

    def _await_the_broker(self, purpose: RequestPurpose) -> None:
        now = self._pacing.now()
        wait = seconds_until_reset(self._told.limits if self._told else None, now)
        if wait <= 0:
            return
        if purpose is RequestPurpose.PROTECTION:
            self._pacing.sleep(min(wait, PROTECTION_WAIT))
        elif wait <= ENTRY_WAIT:
            self._pacing.sleep(wait)
        else:
            raise NotSentError(
                IntentStatus.BLOCKED,
                "broker_rate_limit",
                f"the broker takes no more requests for {wait:.0f} s",
            )

"""What the order path shares outside the database: switch, lease, claims, budgets, limits.

It lives where the edge reaches it without PostgreSQL (DynamoDB), so that trading can be stopped
while the store of record is down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

# Longer than a submitter may run (its function's timeout is 30 s), and not much longer: a run whose
# last intent took it late must not keep the next run's exits waiting.
LEASE_SECONDS = 35

# Characters of a switch change's texts. Its newest hundred have to fit into one item (400 KB).
LONGEST_WHO = 100
LONGEST_WHY = 500


class SwitchState(StrEnum):
    """ACTIVE trades; REDUCING sends exits and protection only; HALTED also has entries cancelled
    and verified, while protective orders stay and are kept in force."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"

    @property
    def severity(self) -> int:
        """0 for ACTIVE, rising with what is forbidden: a higher one is "lower" trading."""
        return ("ACTIVE", "REDUCING", "HALTED").index(self.value)


@dataclass(frozen=True, slots=True)
class SwitchChange:
    """The switch as it was set last, and by whom. ``number`` counts changes of the account from 1;
    0 means that it was never changed (ACTIVE, ``at`` None)."""

    account: str
    number: int
    state: SwitchState
    previous: SwitchState
    who: str
    why: str
    at: datetime | None


class RequestPurpose(StrEnum):
    """What a broker request is for. ``ENTRY`` covers entries and repricing; ``PROTECTION`` exits,
    cancels and protective orders, which have a reserve of their own."""

    ENTRY = "entry"
    PROTECTION = "protection"


class TradingControl(Protocol):
    """Every method raises ControlUnavailableError when the shared state cannot be reached."""

    def switch(self, account: str) -> SwitchChange:
        """The switch as it stands, read consistently; InvalidInputError when it holds a state that
        is none of the three."""
        ...

    def change_switch(
        self,
        account: str,
        to: SwitchState,
        who: str,
        why: str,
        at: datetime,
        *,
        only_lower: bool = False,
    ) -> SwitchChange:
        """Set the switch and write the change down in the same conditional write.

        Setting the state that stands already changes nothing; with ``only_lower`` (alarms, the
        circuit breaker) neither does a state that allows more. The answer is what stands then.
        Longer texts than LONGEST_WHO and LONGEST_WHY are cut.
        """
        ...

    def switch_changes(self, account: str) -> list[SwitchChange]:
        """The newest changes (at least 50), oldest first, for the audit in the store of record."""
        ...

    def lease(self, account: str, holder: str, at: datetime) -> int | None:
        """Become or stay the one submitter of an account for LEASE_SECONDS.

        The answer is the fencing number: it rises with every change of holder and stays while the
        same holder renews. None while another holder's lease has not run out.
        """
        ...

    def holds_lease(self, account: str, fence: int) -> bool:
        """Whether the lease still carries this fencing number: nobody has taken it over since."""
        ...

    def release(self, account: str, fence: int) -> None:
        """Give the lease back, unless somebody has taken it over since. The fencing number stays,
        for the next holder's to rise from."""
        ...

    def claim(self, intent_id: str, fence: int | None, at: datetime) -> bool:
        """True for the first caller with this intent, False for every later one. ``fence`` is kept
        beside the claim (None: the lease could not be read)."""
        ...

    def take_request(
        self, account: str, purpose: RequestPurpose, at: datetime, budget: int, reserve: int
    ) -> bool:
        """Count one broker request in its 15-minute window.

        ENTRY may use ``budget``; PROTECTION uses ``reserve`` first and then what entries have left
        of ``budget``. False when nothing is left for the purpose (and nothing was counted).
        """
        ...

    def count_entry(
        self,
        account: str,
        session: str,
        intent_id: str,
        notional: Decimal,
        max_orders: int,
        max_notional: Decimal,
    ) -> bool:
        """Count one entry against the day's hard limits; False when it would exceed them.

        Counting the same intent twice counts once.
        """
        ...

    def note_entry(self, account: str, intent_id: str, *, failed: bool, at: datetime) -> int:
        """Remember how an entry ended; how many entries in a row, this one included, failed within
        the last ten minutes. A success starts the row anew; the same intent counts once."""
        ...

"""How the brokerage account is set up, and what is wrong with that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

NO_BORROWED_MONEY = "1"


@dataclass(frozen=True, slots=True)
class AccountConfiguration:
    """``max_margin_multiplier`` is the broker's word: "1" lends nothing, "2" and "4" do.
    ``untradable``: those of the symbols we trade that the broker does not."""

    no_shorting: bool
    max_margin_multiplier: str
    suspend_trade: bool
    untradable: tuple[str, ...] = ()

    def faults(self) -> tuple[str, ...]:
        """What is not as a long-only account without borrowed money has to be, in sentences."""
        found = []
        if not self.no_shorting:
            found.append("the account may sell short: no_shorting is false, wanted is true")
        if self.max_margin_multiplier != NO_BORROWED_MONEY:
            found.append(
                "the account may borrow: max_margin_multiplier is "
                f'"{self.max_margin_multiplier}", wanted is "{NO_BORROWED_MONEY}"'
            )
        if self.suspend_trade:
            found.append("trading is suspended by the account's own setting suspend_trade")
        return tuple(found)


WANTED_CONFIGURATION = AccountConfiguration(
    no_shorting=True, max_margin_multiplier=NO_BORROWED_MONEY, suspend_trade=False
)


class ConfigurationStore(Protocol):
    """The ``account_configurations`` table."""

    def add(self, account: str, configuration: AccountConfiguration, as_of: datetime) -> None:
        """Insert; the same moment twice is one row."""
        ...

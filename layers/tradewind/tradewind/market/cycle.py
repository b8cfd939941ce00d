"""One run: an account and the minute it decides on, or in which it only reconciles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, from_iso, to_iso
from tradewind.market.session import Session


@dataclass(frozen=True, slots=True)
class Cycle:
    """``bar_time`` is the start of the decided bar; the run happens in the minute after it.

    ``execution`` names the run: made of account and minute, so that a second delivery of the same
    minute is the same run. ``deployment`` names the one that runs it: two of them on one brokerage
    account have to be told apart. A run that reconciles decides on no bar, may happen before the
    session opens, and shows by its name what it is.
    """

    deployment: str
    account: str
    mode: str
    execution: str
    bar_time: datetime
    session: Session

    @property
    def run_at(self) -> datetime:
        return self.bar_time + MINUTE

    @property
    def reconciles(self) -> bool:
        """Whether this run only puts things right: no strategy is asked and nothing entered."""
        return self.execution == reconciliation_name(self.account, self.bar_time)

    def as_payload(self) -> dict[str, Any]:
        return {
            "deployment": self.deployment,
            "account": self.account,
            "mode": self.mode,
            "execution": self.execution,
            "scheduled_time": to_iso(self.run_at),
            "bar_time": to_iso(self.bar_time),
            "session": {
                "date": self.session.date.isoformat(),
                "open": to_iso(self.session.open),
                "close": to_iso(self.session.close),
            },
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Cycle:
        """Raises InvalidInputError when a part is missing, or the bar is not of the session (a run
        that reconciles may come before it, on the same day)."""
        try:
            session = Session(
                date.fromisoformat(payload["session"]["date"]),
                from_iso(payload["session"]["open"]),
                from_iso(payload["session"]["close"]),
            )
            cycle = cls(
                str(payload["deployment"]),
                str(payload["account"]),
                str(payload["mode"]),
                str(payload["execution"]),
                from_iso(payload["bar_time"]),
                session,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(f"not a trading cycle: {error!r}") from error
        early = cycle.reconciles and cycle.bar_time.date() == session.date
        if not session.contains(cycle.bar_time) and not (early and cycle.bar_time < session.open):
            raise InvalidInputError(
                f"bar {to_iso(cycle.bar_time)} is not of the session of {session.date}"
            )
        return cycle


def execution_name(account: str, bar_time: datetime) -> str:
    """``paper-20201112T1430Z``: the name of the one run that may decide on this minute."""
    return f"{account}-{bar_time:%Y%m%dT%H%MZ}"


def reconciliation_name(account: str, bar_time: datetime) -> str:
    """``paper-reconcile-20201112T1430Z``: all reconciliation of one minute has one name, so that
    what it decides has the same ids however often it is started."""
    return f"{account}-reconcile-{bar_time:%Y%m%dT%H%MZ}"

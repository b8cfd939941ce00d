"""The boundaries of a run: the instants between two things that it does to the world.

Between them there is only arithmetic, which leaves no trace when it is cut off. So "after one
call" and "before the next" are one boundary, and a run of N calls has as many boundaries as calls,
and one more for each step: a step that ended and told its result is another state than one that
did all its calls and was killed before it could tell.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tradewind.errors import TradewindError


@dataclass(frozen=True)
class BrokerCall:
    """A call of the broker that is about one of our order ids. ``error`` is the class of what it
    raised, empty when it answered."""

    method: str
    client_order_id: str
    error: str


class Boundaries:
    """Counts boundaries and kills its own process at one of them."""

    def __init__(
        self,
        kill_at: int | None,
        tell: Callable[[str], None],
        tell_call: Callable[[BrokerCall], None],
    ) -> None:
        """``kill_at`` counts from 1; None only counts. ``tell`` hears the name of each boundary
        before anything happens at it, ``tell_call`` each call that is about an order id."""
        self._kill_at = kill_at
        self._tell = tell
        self.tell_call = tell_call
        self._passed = 0
        self._step = ""
        self._at_start = False

    def begin(self, step: str) -> None:
        self._step, self._at_start = step, True

    def before(self, call: str) -> None:
        if self._at_start:
            self._at_start = False
            self._pass(f"{self._step}: before {call}")

    def after(self, call: str) -> None:
        self._pass(f"{self._step}: after {call}")

    def _pass(self, name: str) -> None:
        self._passed += 1
        self._tell(name)
        if self._passed == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, name: str, adapter: Any) -> Any:
        return (
            WatchedDatabase(adapter, self)
            if name == "database"
            else WatchedAdapter(name, adapter, self)
        )


class WatchedAdapter:
    """Any adapter; each call of a method is one thing done to the world."""

    def __init__(self, name: str, adapter: Any, boundaries: Boundaries) -> None:
        self._name, self._adapter, self._boundaries = name, adapter, boundaries

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._adapter, method)
        if not callable(real):
            return real
        call = f"{self._name}.{method}"

        def watched(*args: Any, **options: Any) -> Any:
            self._boundaries.before(call)
            error = ""
            try:
                return real(*args, **options)
            except TradewindError as raised:
                error = type(raised).__name__
                raise
            finally:
                if (order_id := _order_id(method, args)) is not None:
                    self._boundaries.tell_call(BrokerCall(method, order_id, error))
                self._boundaries.after(call)

        return watched


def _order_id(method: str, args: tuple[Any, ...]) -> str | None:
    match method:
        case "submit" | "replace":
            return str(args[-1].client_order_id)
        case "order_by_client_id":
            return str(args[0])
    return None


class WatchedDatabase:
    """The store of record: a transaction is there whole or not at all, so what counts is whether
    its statements were carried out, and whether it was committed."""

    def __init__(self, database: Any, boundaries: Boundaries) -> None:
        self._database, self._boundaries = database, boundaries

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self._boundaries.before("transaction")
        with self._database.transaction() as stores:
            yield stores
            self._boundaries.after("statements, before commit")
        self._boundaries.after("commit")

    def close(self) -> None:
        self._database.close()

"""How functions of the backtest are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """To machine code at the first call, kept on disk for the next process (beside the module, or
    in ``NUMBA_CACHE_DIR``). Runs without the interpreter's lock, so that threads share the cores.
    """
    machine_code: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy")(function)
    return machine_code


def compiled_sums(function: Callable[P, R]) -> Callable[P, R]:
    """As ``compiled``, for sums whose order does not matter: several additions at a time. NaN and
    infinity still come through."""
    machine_code: Callable[P, R] = njit(
        cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"}
    )(function)
    return machine_code

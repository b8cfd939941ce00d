"""TA-Lib without pandas and polars: ``from tradewind.features.talib_loader import talib``.

``import talib`` imports both wherever they are installed, only to accept their series: 0.8 s of a
cold start instead of 0.06 s. Here they look absent for the length of that one import. What was
imported before stays imported, and later imports of them work as ever.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_HIDDEN = ("pandas", "polars")


def _import_talib() -> Any:
    # The import system reads a None in sys.modules as "there is no such module".
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    hidden = [name for name in _HIDDEN if name not in modules]
    for name in hidden:
        modules[name] = None
    try:
        return importlib.import_module("talib")
    finally:
        for name in hidden:
            del modules[name]


talib = _import_talib()

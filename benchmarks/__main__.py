"""``make bench``: cold imports, a replayed hour, the way of an order, a minute of 500 symbols, a
database, an execution, a minute's decisions of 500 symbols, an import of bars, backtests beside
other tools."""

from __future__ import annotations

import platform
import sys

from benchmarks import (
    assess_risk,
    backtest,
    cold_imports,
    cycle,
    fills,
    import_bars,
    ingest,
    order_path,
    storage,
)


def main() -> int:
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print(cold_imports.table())
    print()
    print(cycle.table())
    print()
    print(order_path.table())
    print()
    print(ingest.table())
    print()
    print(storage.table())
    print()
    print(fills.table())
    print()
    print(assess_risk.table())
    print()
    print(import_bars.table())
    print()
    print(backtest.table())
    return 0


sys.exit(main())

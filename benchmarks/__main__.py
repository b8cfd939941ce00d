"""``make bench``: cold imports, time and memory per step of a replayed hour, a full database."""

from __future__ import annotations

import platform
import sys

from benchmarks import cold_imports, cycle, storage


def main() -> int:
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print(cold_imports.table())
    print()
    print(cycle.table())
    print()
    print(storage.table())
    return 0


sys.exit(main())

"""``make bench``: cold imports, then time and memory per step of a replayed hour."""

from __future__ import annotations

import platform
import sys

from benchmarks import cold_imports, cycle


def main() -> int:
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print(cold_imports.table())
    print()
    print(cycle.table())
    return 0


sys.exit(main())

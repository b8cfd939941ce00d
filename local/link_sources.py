"""Make ``tradewind`` and ``tradewind_local`` importable in the environment that runs this script,
and put the ``tradewind`` command into it. Run by the Makefile after the requirements.

Two lines in a .pth file instead of an editable install: nothing is fetched to build anything, and
the two package roots stay where they are.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = """\
#!/bin/sh
# exec through sh: the path of an interpreter may hold spaces, a #! line may not.
exec "$(dirname -- "$0")/python" -m tradewind_local "$@"
"""


def main() -> None:
    packages = Path(sysconfig.get_path("purelib"))
    roots = [ROOT / "layers" / "tradewind", ROOT / "local"]
    (packages / "tradewind.pth").write_text("".join(f"{root}\n" for root in roots))
    command = Path(sys.prefix) / "bin" / "tradewind"
    command.write_text(COMMAND)
    command.chmod(0o755)


if __name__ == "__main__":
    main()

"""Machine code that is kept on disk is never older than any source that it was made from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tradewind.backtest import compiled

INNER = """
from pack.compiled import compiled
@compiled
def rule():
    return {answer}
"""
OUTER = """
from pack.compiled import compiled
from pack.inner import rule
@compiled
def run():
    return rule()
print(run(), sum(run.stats.cache_hits.values()))
"""


def test_a_change_in_a_called_module_compiles_its_callers_anew(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    shutil.copy(compiled.__file__, package / "compiled.py")
    (package / "__init__.py").touch()
    (package / "outer.py").write_text(OUTER)

    def run() -> str:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
        command = [sys.executable, "-c", "import pack.outer"]
        return subprocess.check_output(command, cwd=tmp_path, env=environment, text=True).strip()

    (package / "inner.py").write_text(INNER.format(answer=1))
    assert run() == "1 0"
    assert run() == "1 1"  # from the store
    (package / "inner.py").write_text(INNER.format(answer=2))
    assert run() == "2 0"

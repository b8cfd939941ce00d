"""Loading TA-Lib must not load pandas, and must not keep others from loading it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "code",
    [
        # the features alone: neither library is there
        "import tradewind.features.windows, tradewind.features.indicators, sys;"
        "assert not {'pandas', 'polars'} & set(sys.modules)",
        # pandas afterwards works as ever
        "from tradewind.features.talib_loader import talib; import pandas;"
        "assert pandas.Series([1.0]).sum() == 1.0",
        # pandas before stays the one that was imported
        "import pandas, sys; from tradewind.features.talib_loader import talib;"
        "assert sys.modules['pandas'] is pandas",
    ],
)
def test_import(code: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert answer.returncode == 0, answer.stderr

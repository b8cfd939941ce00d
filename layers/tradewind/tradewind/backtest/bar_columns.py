"""A symbol's bars as one file of columns, for the functions that run backtests.

NumPy's ``.npz``: a zip of one array for each column of :class:`BarArrays`, without pickles. Equal
bars make equal bytes.
"""

from __future__ import annotations

import io
import zipfile
from datetime import date

import numpy as np

from tradewind.backtest.arrays import BarArrays
from tradewind.errors import PayloadMismatchError

_COLUMNS = (
    *("start", "open", "high", "low", "close", "volume"),
    *("session", "minute", "session_minutes"),
)


def packed(arrays: BarArrays) -> bytes:
    """The file's content."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        symbol=np.array(arrays.symbol),
        session_dates=np.array([day.isoformat() for day in arrays.session_dates]),
        fingerprint=np.array(arrays.fingerprint()),
        **{name: getattr(arrays, name) for name in _COLUMNS},
    )
    return file.getvalue()


def unpacked(content: bytes) -> BarArrays:
    """The bars again. PayloadMismatchError for what is no such file, and for columns that are not
    the ones that were packed."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as columns:
            arrays = BarArrays(
                symbol=str(columns["symbol"]),
                session_dates=tuple(
                    date.fromisoformat(str(day)) for day in columns["session_dates"]
                ),
                **{name: columns[name] for name in _COLUMNS},
            )
            expected = str(columns["fingerprint"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise PayloadMismatchError(f"not a file of bar columns: {error}") from error
    if arrays.fingerprint() != expected:
        raise PayloadMismatchError(
            f"the bar columns of {arrays.symbol} are not the ones that were packed"
        )
    return arrays

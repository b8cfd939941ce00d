"""Windows as one object for the payload bucket.

500 symbols are 1.2 MB, too much for a state machine's state. The pack is two arrays in numpy's
own format, one behind the other: the symbols, then the windows. Nothing in it is executable:
pickled objects are neither written nor read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

from tradewind.errors import InvalidInputError
from tradewind.features import definition as d
from tradewind.features.windows import Window


def pack_windows(windows: Mapping[str, Window]) -> bytes:
    """The same windows give the same bytes, whatever their order."""
    symbols = sorted(windows)
    shape = (len(symbols), d.TIMESTEPS, len(d.FEATURES))
    array = np.array([windows[symbol] for symbol in symbols], np.float32).reshape(shape)
    buffer = io.BytesIO()
    np.save(buffer, np.array(symbols, np.str_), allow_pickle=False)
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def unpack_windows(pack: bytes) -> dict[str, Window]:
    """The reverse of :func:`pack_windows`, symbols in alphabetical order. InvalidInputError when
    the bytes are something else, or windows of another shape."""
    buffer = io.BytesIO(pack)
    try:
        symbols = np.load(buffer, allow_pickle=False)
        array = np.load(buffer, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InvalidInputError(f"not a pack of feature windows: {error}") from error
    expected = (len(symbols), d.TIMESTEPS, len(d.FEATURES))
    if array.dtype != np.float32 or array.shape != expected:
        raise InvalidInputError(
            f"feature windows are {array.dtype} of shape {array.shape}, "
            f"expected float32 of shape {expected}"
        )
    return dict(zip(symbols.tolist(), array, strict=True))

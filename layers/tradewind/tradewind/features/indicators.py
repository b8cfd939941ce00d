"""The technical indicators of the newest bar, through TA-Lib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tradewind.features import definition as d
from tradewind.features.arrays import BarBlock, Floats, block_of
from tradewind.features.ports import IndicatorValue
from tradewind.features.talib_loader import talib
from tradewind.market.bar import Bar

_MACD = f"{d.MACD_FAST}_{d.MACD_SLOW}_{d.MACD_SIGNAL}"


def compute_indicators(bars: Sequence[Bar]) -> list[IndicatorValue]:
    """One symbol's indicators at its newest bar, from exactly its last FEATURE_BARS bars (closed
    regular-session bars, oldest first); empty while there are fewer."""
    return indicators_of(block_of({bars[-1].symbol: bars})) if bars else []


def indicators_of(block: BarBlock) -> list[IndicatorValue]:
    """The indicators of every symbol of a block, each at its newest bar. Averages, MACD and ATR
    are in USD, RSI runs from 0 to 100; six decimals."""
    prices = block.prices
    return [
        IndicatorValue(symbol, name, Decimal(f"{value:.6f}"), starts[-1])
        for symbol, starts, high, low, close in zip(
            block.symbols, block.starts, prices.high, prices.low, prices.close, strict=True
        )
        for name, value in _newest(high, low, close).items()
    ]


def _newest(high: Floats, low: Floats, close: Floats) -> Mapping[str, float]:
    macd, signal, histogram = talib.MACD(close, d.MACD_FAST, d.MACD_SLOW, d.MACD_SIGNAL)
    return {
        f"SMA_{d.SMA_SHORT}": talib.SMA(close, d.SMA_SHORT)[-1],
        f"SMA_{d.SMA_LONG}": talib.SMA(close, d.SMA_LONG)[-1],
        f"EMA_{d.EMA}": talib.EMA(close, d.EMA)[-1],
        f"RSI_{d.RSI}": talib.RSI(close, d.RSI)[-1],
        f"MACD_{_MACD}": macd[-1],
        f"MACD_SIGNAL_{_MACD}": signal[-1],
        f"MACD_HIST_{_MACD}": histogram[-1],
        f"ATR_{d.ATR}": talib.ATR(high, low, close, d.ATR)[-1],
    }

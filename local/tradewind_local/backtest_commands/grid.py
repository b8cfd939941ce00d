"""The values of a sweep's axis: ``5:60:5``, ``5,8,13``, or both: ``5:20:5,30``."""

from __future__ import annotations

from tradewind.errors import InvalidInputError

from tradewind_local.backtest_commands.strategy_options import check_length

_FORM = "is not like 5:60:5 (first:last:step) or 5,8,13"


def grid_of(option: str, text: str) -> list[int]:
    """Ascending, each once; the last of a range belongs to it where a step reaches it. Raises
    InvalidInputError, which names the option."""
    values: set[int] = set()
    for part in text.split(","):
        values.update(_values(option, text, part.strip()))
    for value in (min(values), max(values)):
        check_length(option, value)
    return sorted(values)


def _values(option: str, text: str, part: str) -> range:
    numbers = part.split(":")
    if not all(number.isascii() and number.isdigit() and len(number) < 10 for number in numbers):
        raise InvalidInputError(f"{option} {text!r} {_FORM}")
    match [int(number) for number in numbers]:
        case [only]:
            return range(only, only + 1)
        case [first, last]:
            step = 1
        case [first, last, step]:
            pass
        case _:
            raise InvalidInputError(f"{option} {text!r} {_FORM}")
    if first > last:
        raise InvalidInputError(f"{option} {text!r}: {first} is more than {last}")
    if step < 1:
        raise InvalidInputError(f"{option} {text!r}: a step is 1 or more")
    # Before its ends are checked, a range may be as long as somebody types.
    check_length(option, first)
    check_length(option, last)
    return range(first, last + 1, step)

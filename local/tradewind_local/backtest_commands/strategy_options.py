"""The strategy that the options name. Each error is one line."""

from __future__ import annotations

from tradewind.errors import InvalidInputError
from tradewind.strategies.registry import NAMES
from tradewind.strategies.sma_crossover import LONGEST_AVERAGE, SmaCrossover

# Those that decide on the bars alone.
BACKTESTED = ("sma_crossover",)
SHORTEST_AVERAGE = 2
# The lengths of the two averages; stop, trail and risk are the account's.
PARAMETERS = 2


def strategy_of(name: str, fast: int, slow: int) -> SmaCrossover:
    """Raises InvalidInputError."""
    check_name(name)
    for option, value in (("--fast", fast), ("--slow", slow)):
        check_length(option, value)
    if fast >= slow:
        raise InvalidInputError(f"--fast {fast} has to be less than --slow {slow}")
    return SmaCrossover(fast, slow)


def check_name(name: str) -> None:
    if name in BACKTESTED:
        return
    known = ", ".join(BACKTESTED)
    if name in NAMES:
        raise InvalidInputError(
            f"--strategy {name} needs predictions or members, which this command has no way to "
            f"give; give {known}"
        )
    raise InvalidInputError(f"--strategy {name!r} is unknown; give {known}")


def check_length(option: str, value: int) -> None:
    if not SHORTEST_AVERAGE <= value <= LONGEST_AVERAGE:
        raise InvalidInputError(
            f"{option} {value}: give a number of bars from {SHORTEST_AVERAGE} to {LONGEST_AVERAGE}"
        )

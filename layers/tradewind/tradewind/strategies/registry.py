"""Strategies by their name in the configuration, made from parameters that are checked first.

Whatever is wrong is told in one line: where, what, and what is taken instead (InvalidInputError).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tradewind.errors import InvalidInputError
from tradewind.strategies.ensemble import EnsembleAll
from tradewind.strategies.lstm_trend import (
    LEAST_CONFIDENCE,
    LONGEST_WITHOUT_PREDICTION,
    LstmTrend,
)
from tradewind.strategies.protocol import Strategy
from tradewind.strategies.sma_crossover import LONGEST_AVERAGE, SmaCrossover

# Parameters of a strategy by its name, as a TOML file gives them (floats read as Decimal).
Parameters = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Number:
    """What a parameter may be: both ends belong to the range."""

    least: Decimal | int
    most: Decimal | int
    whole: bool

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.least} to {self.most}"

    def takes(self, value: object) -> bool:
        kinds = int if self.whole else int | Decimal
        # A bool is an int to Python and nobody's parameter; TOML knows nan.
        if not isinstance(value, kinds) or isinstance(value, bool):
            return False
        return Decimal(value).is_finite() and self.least <= value <= self.most


@dataclass(frozen=True, slots=True)
class Kind:
    """A strategy made of numbers: ``make`` gets them checked, by name."""

    takes: Mapping[str, Number]
    make: Callable[..., Strategy]


KINDS: Mapping[str, Kind] = {
    "sma_crossover": Kind(
        {
            "fast": Number(2, LONGEST_AVERAGE - 1, whole=True),
            "slow": Number(3, LONGEST_AVERAGE, whole=True),
        },
        SmaCrossover,
    ),
    "lstm_trend": Kind(
        {
            "min_confidence": Number(LEAST_CONFIDENCE, 1, whole=False),
            "minutes_without_prediction": Number(1, LONGEST_WITHOUT_PREDICTION, whole=True),
        },
        lambda min_confidence, minutes_without_prediction: LstmTrend(
            Decimal(min_confidence), minutes_without_prediction
        ),
    ),
}
ENSEMBLE = "ensemble_all"
NAMES = (*KINDS, ENSEMBLE)


def strategy_of(
    name: str, parameters: Mapping[str, object], *, usual: Parameters, where: str
) -> Strategy:
    """The strategy of that name. ``usual`` are parameters, by strategy, that hold where
    ``parameters`` leaves them out. ``where`` begins the line that says what is wrong."""
    if name == ENSEMBLE:
        return _ensemble(parameters, usual, where)
    if name not in KINDS:
        raise InvalidInputError(f"{where}: name is {name!r}: give one of {', '.join(NAMES)}")
    kind = KINDS[name]
    refuse_unknown(parameters, kind.takes, f"{where}, parameters")
    values = {**usual.get(name, {}), **parameters}
    for parameter, number in kind.takes.items():
        if parameter not in values:
            raise InvalidInputError(f"{where}: {name} needs a parameter {parameter}, {number}")
        if not number.takes(values[parameter]):
            raise InvalidInputError(
                f"{where}: parameter {parameter} of {name} is {shown(values[parameter])}: "
                f"give {number}"
            )
    try:
        return kind.make(**values)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from error


def _ensemble(parameters: Mapping[str, object], usual: Parameters, where: str) -> Strategy:
    refuse_unknown(parameters, ("members",), f"{where}, parameters")
    listed = parameters.get("members")
    if not isinstance(listed, list) or len(listed) < 2:
        raise InvalidInputError(
            f"{where}: {ENSEMBLE} needs a parameter members, a list of two or more strategies "
            'like {name = "sma_crossover", parameters = {fast = 20, slow = 50}}'
        )
    members = []
    for number, member in enumerate(listed, 1):
        place = f"{where}, member {number}"
        if not isinstance(member, dict):
            raise InvalidInputError(f"{place} is {shown(member)}: give a table with a name")
        refuse_unknown(member, ("name", "parameters"), place)
        name, own = member.get("name"), member.get("parameters", {})
        if not isinstance(name, str) or name not in KINDS:
            raise InvalidInputError(
                f"{place}: name is {shown(name)}: give one of {', '.join(KINDS)}"
            )
        members.append(strategy_of(name, table(own, place), usual=usual, where=place))
    try:
        return EnsembleAll(tuple(members))
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from error


def table(value: object, where: str) -> Mapping[str, object]:
    """A TOML table of parameters, or a line that says it is none."""
    if not isinstance(value, dict):
        raise InvalidInputError(
            f"{where}: parameters is {shown(value)}: give a table like {{fast = 20, slow = 50}}"
        )
    return value


def refuse_unknown(
    given: Mapping[str, object], known: Mapping[str, object] | tuple[str, ...], where: str
) -> None:
    for name in given:
        if name not in known:
            raise InvalidInputError(f"{where}: {name!r} is unknown: there are {', '.join(known)}")


def shown(value: object) -> str:
    """A value near enough to how its file has it to be found there; TOML has no None."""
    if value is None:
        return "missing"
    return str(value) if isinstance(value, Decimal) else repr(value)

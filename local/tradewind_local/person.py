"""Who is at the keyboard, and whether they mean it."""

from __future__ import annotations

import getpass

import click
from tradewind.errors import InvalidInputError


def name_of(given: str | None) -> str:
    """The name that ``--who`` gives, else the login name. Raises InvalidInputError without one."""
    if given is not None and given.strip():
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise InvalidInputError("your login name is not known here: give --who NAME") from error


def confirmed(question: str) -> bool:
    """Raises InvalidInputError when nobody is there to answer."""
    try:
        return click.confirm(question)
    except click.Abort as no_keyboard:
        raise InvalidInputError("no answer, nothing was changed: give --yes") from no_keyboard

"""How the commands end: exit codes, one line for what went wrong, signals as Ctrl-C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click
from tradewind.errors import InvalidInputError, TradewindError

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
_A_MOMENT = 0.01  # seconds


class OneLineGroup(click.Group):
    """The commands, which tell what is wrong with their options in one line, too."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as asked:
            asked.show()
            sys.exit(asked.exit_code)
        except click.ClickException as error:
            context = error.ctx if isinstance(error, click.UsageError) else None
            command = context.command_path if context else "tradewind"
            fault = " ".join(error.format_message().split()).rstrip(".")
            _leave(f"{command}: {fault}; see {command} --help", BAD_INPUT)
        except click.Abort:
            sys.exit(INTERRUPTED)
        if standalone_mode:
            sys.exit(code)
        return code


@contextmanager
def in_one_line(command: str) -> Iterator[None]:
    """Leave with the exit code of what the block raises, telling it in one line."""
    # Also SIGINT: a shell starts background jobs with it ignored.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = _interrupt_again
    try:
        yield
    except InvalidInputError as error:
        _leave(f"{command}: {_one_line(error)}", BAD_INPUT)
    except TradewindError as error:
        _leave(f"{command}: failed: {_one_line(error)}", FAILED)
    except KeyboardInterrupt:
        _leave(f"{command}: interrupted, everything is stopped", INTERRUPTED)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM and a closed terminal end the command as Ctrl-C does: everything is stopped."""
    raise KeyboardInterrupt(f"signal {number}")


def _interrupt_again(lost: sys.UnraisableHookArgs) -> None:
    """Python drops what is raised while it runs a destructor, a weak reference's callback or a hook
    around a fork, and a signal may arrive there: interrupt a moment later."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _A_MOMENT)
    else:
        sys.__unraisablehook__(lost)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _leave(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)

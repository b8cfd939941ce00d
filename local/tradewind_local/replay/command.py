"""``tradewind run``: up, replay, summary, down."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pg8000.native
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from tradewind.errors import InvalidInputError
from tradewind.market.bar import to_iso

from tradewind_local.exchange.control import ExchangeRefusedError
from tradewind_local.json_file import write_json_file
from tradewind_local.replay.driver import MinuteRun, ReplayFailedError, SessionDriver
from tradewind_local.replay.ledger import Ledger
from tradewind_local.replay.plan import ReplayPlan
from tradewind_local.replay.progress import Display, LiveDisplay, PlainLines, Standing, say
from tradewind_local.replay.reports import handler_durations
from tradewind_local.replay.summary import build_summary, summary_lines
from tradewind_local.twin.folder import StateFolder
from tradewind_local.twin.local_twin import LocalTwin

# The checkout: local/tradewind_local/replay/command.py is three folders below it.
ROOT = Path(__file__).resolve().parents[3]
_DECISIONS_SHOWN = 6


def replay(
    plan: ReplayPlan, *, state: Path | None, seed: int, keep: bool, json_file: Path | None
) -> dict[str, Any]:
    """Run the plan and write its summary. Raises TradewindError, and KeyboardInterrupt on Ctrl-C;
    whatever happens, nothing is left running."""
    console = Console()
    began = time.monotonic()
    folder = StateFolder.open(state)
    try:
        with _running_twin(plan, folder, seed, console) as twin:
            say(console, f"up in {time.monotonic() - began:.1f} s")
            summary = _replay_on(twin, plan, console)
            summary["seconds"] = round(time.monotonic() - began, 1)
            for line in summary_lines(summary):
                say(console, line)
            if json_file is not None:
                write_json_file(json_file, summary)
            if keep:
                _stay_up(twin, console)
    except (BotoCoreError, ClientError, pg8000.native.Error, OSError) as error:
        # One of the twin's servers refused something or went away.
        raise ReplayFailedError(f"{type(error).__name__}: {error}") from error
    finally:
        folder.close()
    return summary


@contextmanager
def _running_twin(
    plan: ReplayPlan, folder: StateFolder, seed: int, console: Console
) -> Iterator[LocalTwin]:
    def tell(text: str) -> None:
        say(console, text)

    tell(_headline(plan))
    twin = LocalTwin(ROOT, folder, plan.symbols, seed)
    try:
        twin.start(tell)
        for left in twin.deployment.left_out:
            tell(f"left out: {left.resource} ({left.type}): {left.reason}")
        yield twin
    finally:
        with _undisturbed():
            twin.stop()


def _headline(plan: ReplayPlan) -> str:
    what = "SIMULATED market, these prices never were" if plan.simulated else "recorded bars"
    return (
        f"Tradewind: {' '.join(plan.symbols)}, {plan.minutes} of {plan.session.minutes} minutes "
        f"of {plan.session.date}, {what}"
    )


def _replay_on(twin: LocalTwin, plan: ReplayPlan, console: Console) -> dict[str, Any]:
    _feed_market(twin, plan)
    connection = twin.owner_connection()
    try:
        ledger = Ledger(connection, plan.session)
        ledger.load_history(plan.history)
        before = ledger.counts()
        driver = SessionDriver(twin)
        display: Display = (
            LiveDisplay(console, _title(plan), plan.minutes)
            if console.is_terminal
            else PlainLines(console)
        )
        runs: list[MinuteRun] = []
        with display:
            for run in driver.run(plan.bar_times()):
                runs.append(run)
                if display.wants(len(runs), plan.minutes):
                    display.show(_standing(run, len(runs), plan, ledger, before))
        driver.stop_market()
        undelivered = driver.drain()
        after = ledger.counts()
        return build_summary(
            plan=plan,
            runs=runs,
            reconciliations=driver.reconciliations,
            added={name: after[name] - before[name] for name in after},
            profit=ledger.profit_and_loss(),
            exchange=twin.market.summary(),
            intents=ledger.intent_ids(),
            without_outcome=ledger.intents_without_outcome(),
            holdings=ledger.holdings(),
            handlers=handler_durations(twin.reports),
            left_out=twin.deployment.left_out,
            undelivered=undelivered,
            dead_letters=driver.dead_letters(),
        )
    finally:
        connection.close()


def _feed_market(twin: LocalTwin, plan: ReplayPlan) -> None:
    """Give the exchange its bars. InvalidInputError when the folder's market is another one,
    ExchangeControlError when the exchange itself fails."""
    now = twin.market.clock()
    if now is not None and now.date() > plan.session.date:
        raise InvalidInputError(
            f"--state: its market has already reached {to_iso(now)}, which lies after the session "
            f"of {plan.session.date}; replay a later session or use another folder"
        )
    try:
        twin.market.load_bars([*plan.history, *plan.bars])
    except ExchangeRefusedError as error:
        raise InvalidInputError(
            f"--state: its market has other bars than these ({error}); use another folder"
        ) from error


def _standing(
    run: MinuteRun, done: int, plan: ReplayPlan, ledger: Ledger, before: dict[str, int]
) -> Standing:
    now = ledger.counts()
    return Standing(
        run=run,
        simulated=plan.simulated,
        done=done,
        total=plan.minutes,
        orders=now["orders"] - before["orders"],
        fills=now["fills"] - before["fills"],
        profit=ledger.profit_and_loss(),
        decisions=ledger.recent_decisions(_DECISIONS_SHOWN),
    )


def _title(plan: ReplayPlan) -> str:
    return f"{plan.session.date}{' SIMULATED' if plan.simulated else ''}"


def _stay_up(twin: LocalTwin, console: Console) -> None:
    """Say where everything is, and wait for Ctrl-C, which is the ordinary end here."""
    postgres = twin.postgres
    say(console, f"local cloud  {twin.cloud.url}")
    for name, value in sorted(twin.deployment.outputs.items()):
        say(console, f"  {name:<22} {value}")
    say(
        console,
        f"PostgreSQL   host={postgres.host} port={postgres.port} dbname={postgres.database} "
        f"user={postgres.user}, password in {postgres.folder / 'password'}",
    )
    say(console, f"exchange     {twin.exchange.url}")
    say(console, "up until Ctrl-C")
    try:
        signal.pause()
    except KeyboardInterrupt:
        say(console, "stopping")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No second Ctrl-C in the middle of stopping: it would leave things behind."""
    caught: list[tuple[int, Callable[..., Any] | int | None]] = [
        (number, signal.signal(number, signal.SIG_IGN))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    ]
    try:
        yield
    finally:
        for number, handler in caught:
            signal.signal(number, handler)

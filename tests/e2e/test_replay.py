"""The whole chain on this machine: the very template, real PostgreSQL, half an hour of a market."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import signal
import urllib.error
import urllib.request
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pg8000.native
import pytest
from tradewind.market.csv_bars import read_bars
from tradewind.market.session_table import default_table
from tradewind.risk.limits import RiskLimits
from tradewind.strategies.sma_crossover import SmaCrossover
from tradewind_local.postgres_server import PostgresServer

from tests.e2e.command import (
    RECORDED,
    recorded_bars,
    run,
    start,
    wait_until_nothing_is_left,
)
from tests.e2e.parity import backtest_of, differences, fill_prices, paper_session
from tests.e2e.totp import totp

pytestmark = pytest.mark.e2e

# AAPL is bought in the ninth minute of this half-hour and sold in the twenty-first.
MINUTES = 30
RECORDED_SESSION = ["--date", "2020-11-13", "--label", "end", "--minutes", str(MINUTES)]
# The simulated half-hour that takes its place where the recordings are not at hand.
SIMULATED_SESSION = ["--seed", "4", "--minutes", str(MINUTES)]


@pytest.fixture(scope="module")
def session_options() -> list[str]:
    bars = recorded_bars()
    return [*bars, *RECORDED_SESSION] if bars else SIMULATED_SESSION


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replay")


@pytest.fixture(scope="module")
def state(folder: Path) -> Path:
    return folder / "state"


@pytest.fixture(scope="module")
def first(folder: Path, state: Path, session_options: list[str]) -> dict[str, Any]:
    """The summary of the first run on a new state folder."""
    return run(folder / "first.log", *session_options, "--state", str(state))


def test_every_minute_ran_and_the_books_are_in_order(first: dict[str, Any]) -> None:
    expected = {
        "cycles": MINUTES,
        "executions_succeeded": MINUTES,
        "executions_failed": 0,
        "bars_stored": 2 * MINUTES,
        "predictions": 2 * MINUTES,
        "decisions": 2 * MINUTES,
        "orders_without_intent": 0,
        "intents_without_outcome": 0,
        "positions_match": True,
        "undelivered": {},
        "dead_letters": {},
    }
    assert {key: first[key] for key in expected} == expected
    # Before the session's first minute, where it changes nothing.
    (reconciled,) = first["reconciliations"]
    assert (reconciled["why"], reconciled["status"]) == ("before_open", "SUCCEEDED")
    assert reconciled["intents"] == []
    assert first["orders"] == first["exchange_orders"]
    # An entry, its resting stop, and a fill at least: else the above would say little.
    assert first["orders"] >= 2
    assert first["fills"] >= 1
    assert first["trade_events"] == first["fills"]
    assert first["alerts"] >= 1


def test_its_times_are_told_by_cycle_and_by_function(first: dict[str, Any]) -> None:
    assert 0 < first["cycle_ms_p50"] <= first["cycle_ms_p95"]
    steps = {"fetch_bars", "compute_features", "sync_broker", "predict_trend", "assess_risk"}
    assert steps <= set(first["handler_ms"])
    assert all(times["p50"] <= times["p95"] for times in first["handler_ms"].values())


def test_the_output_is_plain_and_names_all_that_was_left_out(
    first: dict[str, Any], folder: Path
) -> None:
    said = (folder / "first.log").read_text()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said)
    left_out = {item["resource"]: item for item in first["left_out"]}
    assert "Database" in left_out
    for name, item in left_out.items():
        assert f"left out: {name} ({item['type']}): {item['reason']}" in said
    assert (first["source"] == "simulated") == ("SIMULATED" in said)


def test_stored_bars_equal_the_files(first: dict[str, Any], state: Path) -> None:
    if first["source"] != "recorded":
        pytest.skip("../shared/data/bars_1min/av_2020_2021 is not there")
    session = default_table().session_on(date.fromisoformat(first["date"]))
    assert session is not None
    expected = [
        (bar.symbol, bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume)
        for symbol in first["symbols"]
        for bar in read_bars(RECORDED / f"intraday_1min_{symbol}.csv", symbol, "end")
        if session.open <= bar.start < session.open + timedelta(minutes=MINUTES)
    ]
    stored = rows(
        state,
        "SELECT symbol, start, open, high, low, close, volume FROM bars "
        "WHERE start >= :open ORDER BY symbol, start",
        open=session.open,
    )
    assert stored == expected


@pytest.mark.live_parity
def test_a_backtest_decides_the_same(first: dict[str, Any], state: Path) -> None:
    session = default_table().session_on(date.fromisoformat(first["date"]))
    assert session is not None
    paper = paper_session(state, session)
    strategies = {symbol: SmaCrossover(20, 50) for symbol in first["symbols"]}
    found = differences(paper.told, backtest_of(paper, strategies))
    assert [one for one in found if one.explained is None] == []
    assert len(paper.told.decisions) == 2 * MINUTES
    assert {one.action for one in paper.told.decisions.values()} >= {"enter", "hold", "wait"}
    assert len(fill_prices(paper.told, backtest_of(paper, strategies))) >= 1

    # Another average, another cap: neither would pass.
    other = {symbol: SmaCrossover(19, 50) for symbol in first["symbols"]}
    smaller = RiskLimits(max_symbol_exposure=Decimal("0.2"))
    for planted in (backtest_of(paper, other), backtest_of(paper, strategies, smaller)):
        assert [one for one in differences(paper.told, planted) if one.explained is None] != []


def test_the_same_command_again_changes_nothing_and_the_api_answers_who_may_ask(
    first: dict[str, Any], folder: Path, state: Path, session_options: list[str]
) -> None:
    """With --keep: after its summary the command stays up, which gives the API time to be asked."""
    before = rows(state, "SELECT order_id, status, filled_quantity FROM orders ORDER BY order_id")
    summary_file = folder / "again.json"
    options = [*session_options, "--state", str(state), "--keep", "--json", str(summary_file)]
    running = start(folder / "again.log", *options)
    try:
        said = running.wait_for("up until Ctrl-C")
        again = json.loads(summary_file.read_text())
        added = ("bars_stored", "predictions", "decisions", "intents", "orders", "fills", "alerts")
        assert {name: again[name] for name in added} == dict.fromkeys(added, 0)
        assert again["executions_succeeded"] == MINUTES
        assert again["positions"] == first["positions"]
        assert again["realised_pnl"] == first["realised_pnl"]
        assert again["positions_match"]
        assert again["reconciliations"] == []  # the market has passed that moment

        address = printed(said, "ApiUrl")
        assert answer_of(f"{address}/status", None)[0] == 401
        assert answer_of(f"{address}/status", "no.such.token")[0] == 401
        token = access_token(
            printed(said, "local cloud"),
            printed(said, "UserPoolId"),
            printed(said, "UserPoolClientId"),
        )
        now = json.loads(answer_of(f"{printed(said, 'exchange')}/_sim/clock", None)[1])["now"]
        assert hint_at(address, now, b"not what was signed")[0] == 401
        assert hint_at(address, now, b"something changed")[0] == 202
        for path in ("status", "prices", "positions"):
            code, body = answer_of(f"{address}/{path}", token)
            assert code == 200, body
    finally:
        code = running.end(signal.SIGINT)
    assert code == 0, running.said
    assert wait_until_nothing_is_left(state) == []
    assert before == rows(
        state, "SELECT order_id, status, filled_quantity FROM orders ORDER BY order_id"
    )


def test_a_killed_command_leaves_nothing_running_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """Killed in the middle of the half-hour, with a position open: the rest is added, no more."""
    state = tmp_path / "state"
    options = [*SIMULATED_SESSION, "--state", str(state)]
    running = start(tmp_path / "killed.log", *options)
    running.wait_for(f"15/{MINUTES}")
    running.end(signal.SIGKILL)
    assert wait_until_nothing_is_left(state) == []

    summary = run(tmp_path / "next.log", *options)
    expected = {
        "cycles": MINUTES,
        "executions_succeeded": MINUTES,
        "orders_without_intent": 0,
        "intents_without_outcome": 0,
        "positions_match": True,
        "dead_letters": {},
    }
    assert {key: summary[key] for key in expected} == expected
    assert 0 < summary["bars_stored"] <= 2 * (MINUTES - 15)
    (counted,) = rows(
        state,
        "SELECT (SELECT count(*) FROM cycles), (SELECT count(*) FROM decisions), "
        "(SELECT count(DISTINCT (symbol, start)) FROM bars WHERE feed <> 'simulated')",
    )
    assert counted[:2] == (MINUTES, 2 * MINUTES)


def test_interrupted_while_starting_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    running = start(tmp_path / "log", *SIMULATED_SESSION, "--state", str(state))
    running.wait_for("Tradewind:")
    assert running.end(signal.SIGINT) == 130
    assert "Traceback" not in running.said
    assert wait_until_nothing_is_left(state) == []


def rows(state: Path, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """What the database of a stopped twin holds."""
    with PostgresServer(state / "postgres") as server:
        connection = pg8000.native.Connection(
            server.user,
            host=server.host,
            port=server.port,
            database=server.database,
            password=server.password,
        )
        try:
            return [tuple(row) for row in connection.run(statement, **parameters) or []]
        finally:
            connection.close()


def printed(said: str, name: str) -> str:
    """The value on the line that starts with this name."""
    found = re.search(rf"^ *{name} +(\S+)$", said, re.MULTILINE)
    assert found, said
    return found.group(1)


def answer_of(url: str, token: str | None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def hint_at(address: str, now: str, body: bytes) -> tuple[int, str]:
    """POST to the broker's webhook at the market's time, signed for "something changed"."""
    timestamp = str(int(datetime.fromisoformat(now).timestamp()))
    signed = f"{timestamp}.something changed".encode()
    headers = {
        "X-Tradewind-Timestamp": timestamp,
        "X-Tradewind-Signature": hmac.new(b"simulated", signed, hashlib.sha256).hexdigest(),
    }
    request = urllib.request.Request(
        f"{address}/webhooks/broker", data=body, headers=headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def access_token(cloud: str, pool: str, client: str, group: str | None = None) -> str:
    """A new user of the pool, in the group, logs in by password and second factor."""
    users = boto3.client(
        "cognito-idp",
        endpoint_url=cloud,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name, password = "reader@example.com", "Four.Words.9.Long"
    users.admin_create_user(
        UserPoolId=pool, Username=name, TemporaryPassword=password, MessageAction="SUPPRESS"
    )
    users.admin_set_user_password(UserPoolId=pool, Username=name, Password=password, Permanent=True)
    if group is not None:
        users.admin_add_user_to_group(UserPoolId=pool, Username=name, GroupName=group)
    log_in = {
        "UserPoolId": pool,
        "ClientId": client,
        "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
        "AuthParameters": {"USERNAME": name, "PASSWORD": password},
    }
    # AWS would ask for the second factor to be set up here; the local cloud lets the user in to
    # do so, and asks for it from then on.
    session = users.admin_initiate_auth(**log_in)["AuthenticationResult"]["AccessToken"]
    device = users.associate_software_token(AccessToken=session)
    users.verify_software_token(AccessToken=session, UserCode=totp(device["SecretCode"]))
    challenge = users.admin_initiate_auth(**log_in)
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    result = users.admin_respond_to_auth_challenge(
        UserPoolId=pool,
        ClientId=client,
        ChallengeName="SOFTWARE_TOKEN_MFA",
        ChallengeResponses={
            "USERNAME": name,
            "SOFTWARE_TOKEN_MFA_CODE": totp(device["SecretCode"]),
        },
        Session=challenge["Session"],
    )
    token: str = result["AuthenticationResult"]["AccessToken"]
    return token

"""The exchange as a process: what survives, what dies, what is refused."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from tradewind.market.bar import MINUTE
from tradewind_local.exchange.control import ExchangeControlError, ExchangeRefusedError
from tradewind_local.exchange.process import ExchangeProcess, ExchangeStartError

from tests.integration.exchange.conftest import OPEN, Market, clients, minute_bar, session_bars

ENTRY = {
    "symbol": "AAPL",
    "qty": "10",
    "side": "buy",
    "type": "market",
    "time_in_force": "gtc",
    "order_class": "oto",
    "stop_loss": {"stop_price": "98.50"},
}
PATHS = (
    "/v2/account",
    "/v2/positions",
    "/v2/orders?status=all&nested=true",
    "/v2/account/activities/FILL",
    "/_sim/slack",
    "/_sim/clock",
)


def trade(market: Market, minutes: range) -> None:
    for minute in minutes:
        market.at(minute)
        market.call("POST", "/v2/orders", json={**ENTRY, "client_order_id": f"entry-{minute}"})
    market.call("POST", "/slack/T/B/x", json={"text": f"traded {minutes}"})


def told(market: Market) -> dict[str, Any]:
    return {path: market.call("GET", path).json() for path in PATHS}


def test_a_killed_exchange_goes_on_where_it_was(tmp_path: Path) -> None:
    """SIGKILL, and a new process on the same folder: the same answers, then the same future as
    an exchange that was never killed."""
    with ExchangeProcess(tmp_path / "steady") as process:
        steady = clients(process)
        steady.control.load_bars(session_bars())
        trade(steady, range(3))
        trade(steady, range(3, 6))
        expected = told(steady)

    with ExchangeProcess(tmp_path / "killed") as process:
        killed = clients(process)
        killed.control.load_bars(session_bars())
        trade(killed, range(3))
        before = told(killed)
        os.kill(process.pid, signal.SIGKILL)
    with ExchangeProcess(tmp_path / "killed") as process:
        again = clients(process)
        assert told(again) == before
        trade(again, range(3, 6))
        assert told(again) == expected
        assert again.control.summary()["requests"]["POST /v2/orders"] == 6


def test_the_same_calls_at_the_same_instants_give_the_same_answers(tmp_path: Path) -> None:
    answers = []
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        with ExchangeProcess(tmp_path / name, seed=seed) as process:
            market = clients(process)
            market.control.load_bars(session_bars())
            trade(market, range(3))
            answers.append(told(market))
    assert answers[0] == answers[1]
    assert answers[0] != answers[2]  # other ids


def test_the_clock_is_not_turned_back(market: Market) -> None:
    market.at(5)
    for earlier in (OPEN, OPEN + 5 * MINUTE + timedelta(seconds=2)):
        with pytest.raises(ExchangeControlError, match="cannot go back to"):
            market.control.set_clock(earlier)
    assert market.control.clock() == OPEN + 5 * MINUTE + timedelta(seconds=3)


def test_a_running_clock_runs_but_not_into_the_next_minute(market: Market) -> None:
    begun = market.control.set_clock(OPEN + MINUTE + timedelta(seconds=58.9))
    ceiling = OPEN + MINUTE + timedelta(seconds=59)
    assert begun is not None
    eventually(lambda: market.control.clock() == ceiling)
    assert market.control.clock() == ceiling


def test_bars_are_loaded_once_and_not_contradicted(market: Market) -> None:
    assert market.control.load_bars(session_bars()) == 0
    with pytest.raises(ExchangeControlError, match=r"AAPL 2020-11-12T14:30.* with other values"):
        market.control.load_bars([minute_bar("AAPL", 0, "1")])
    assert market.control.load_bars([minute_bar("SPY", 0, "300")]) == 1


def test_another_seed_or_cash_on_the_same_state_is_refused(tmp_path: Path) -> None:
    with ExchangeProcess(tmp_path, seed=1):
        pass
    with pytest.raises(ExchangeStartError, match=r"founded with seed 1 .* not with seed 2"):
        ExchangeProcess(tmp_path, seed=2).start()


def test_two_exchanges_do_not_share_a_state(tmp_path: Path) -> None:
    with ExchangeProcess(tmp_path) as first:
        with pytest.raises(ExchangeStartError, match="another exchange is running on"):
            ExchangeProcess(tmp_path).start()
        assert first.control.clock() is None  # the first one never noticed


def test_other_bars_are_refused_and_a_fault_is_no_refusal(tmp_path: Path) -> None:
    bars = session_bars()
    with ExchangeProcess(tmp_path) as exchange:
        exchange.control.load_bars(bars)
        with pytest.raises(ExchangeRefusedError, match="is there already with other values"):
            exchange.control.load_bars([replace(bars[0], volume=bars[0].volume + 1)])
        later = replace(bars[-1], start=bars[-1].start + MINUTE, volume=2**70)
        with pytest.raises(ExchangeControlError, match="has a fault") as failed:
            exchange.control.load_bars([later])
        assert not isinstance(failed.value, ExchangeRefusedError)


def test_it_takes_the_port_asked_for_and_another_where_that_is_taken(tmp_path: Path) -> None:
    with ExchangeProcess(tmp_path / "first") as first:
        port = first.port
        with ExchangeProcess(tmp_path / "second", port=port) as second:
            assert second.port != port
    with ExchangeProcess(tmp_path / "first", port=port) as again:
        assert again.port == port


def test_it_binds_the_loopback_only_and_leaves_nothing_behind(tmp_path: Path) -> None:
    process = ExchangeProcess(tmp_path)
    process.start()
    pid, url = process.pid, process.url
    assert url.startswith("http://127.0.0.1:")
    listening = Path(f"/proc/{pid}/net/tcp").read_text()
    port = f"{int(url.rsplit(':', 1)[1]):04X}"
    assert f"0100007F:{port}" in listening
    assert f"00000000:{port}" not in listening
    process.stop()
    assert not Path(f"/proc/{pid}").exists()


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """Even with one that is killed and can clean up nothing."""
    script = (
        "import sys; from pathlib import Path\n"
        "from tradewind_local.exchange.process import ExchangeProcess\n"
        f"process = ExchangeProcess(Path({str(tmp_path)!r})).start()\n"
        "print(process.pid, flush=True); sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    eventually(lambda: not _alive(child))


def _alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_summary_tells_the_runner_everything(market: Market) -> None:
    trade(market, range(2))
    market.at(5)
    summary = market.control.summary()
    assert summary["now"] == "2020-11-12T14:35:03Z"
    assert (summary["bars"], summary["fills"], summary["slack_messages"]) == (120, 2, 1)
    assert [
        (o["client_order_id"], o["status"])
        for o in summary["orders"]
        if "entry" in o["client_order_id"]
    ] == [("entry-0", "filled"), ("entry-1", "filled")]
    parents = {order["id"]: order["client_order_id"] for order in summary["orders"]}
    legs = [order for order in summary["orders"] if order["parent_order_id"]]
    assert [parents[leg["parent_order_id"]] for leg in legs] == ["entry-0", "entry-1"]
    # 10 at 100.1234 and 10 at 100.1334, now at 100.1734
    assert summary["positions"] == [
        {
            "symbol": "AAPL",
            "avg_entry_price": "100.1284",
            "qty": "20",
            "current_price": "100.1734",
            "unrealized_pl": "0.9",
        }
    ]
    assert (summary["cash"], summary["equity"]) == ("97997.432", "100000.9")
    assert (summary["realized_pl"], summary["unrealized_pl"]) == ("0", "0.9")
    assert summary["requests"]["POST /v2/orders"] == 2
    assert market.control.slack_messages() == [
        {
            "path": "/slack/T/B/x",
            "payload": {"text": "traded range(0, 2)"},
            "at": "2020-11-12T14:31:03Z",
        }
    ]


def test_before_its_clock_is_set_it_trades_nothing(tmp_path: Path) -> None:
    with ExchangeProcess(tmp_path) as process:
        market = clients(process)
        assert market.control.clock() is None
        assert market.call("GET", "/v2/account").status_code == 503
        assert market.control.summary()["orders"] == []


@pytest.mark.parametrize(
    ("body", "headers", "status", "text"),
    [
        ('{"text": "hello"}', {}, 200, "ok"),
        ('{"blocks": [{"type": "section"}]}', {}, 200, "ok"),
        (
            "payload=%7B%22text%22%3A%22hi%22%7D",
            {"Content-Type": "application/x-www-form-urlencoded"},
            200,
            "ok",
        ),
        ("hello", {}, 400, "invalid_payload"),
        ("[]", {}, 400, "invalid_payload"),
        ('{"channel": "x"}', {}, 400, "no_text"),
        ('{"text": ""}', {}, 400, "no_text"),
    ],
)
def test_the_slack_webhook_answers_text(
    market: Market, body: str, headers: dict[str, str], status: int, text: str
) -> None:
    answer = requests.post(
        f"{market.url}/slack/T0/B0/secret", data=body, headers=headers, timeout=10
    )
    assert (answer.status_code, answer.text) == (status, text)
    assert len(market.control.slack_messages()) == (status == 200)

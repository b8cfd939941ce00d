"""The whole of Tradewind on this machine: database, exchange, local cloud, deployed stack."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pg8000.native

from tradewind_local.exchange.control import ExchangeControl
from tradewind_local.exchange.process import ExchangeProcess
from tradewind_local.postgres_server import PostgresServer
from tradewind_local.twin.cloud import LocalCloud
from tradewind_local.twin.deploy import DeployFailedError, Deployment, LocalSettings, deploy
from tradewind_local.twin.folder import StateFolder
from tradewind_local.twin.ports import Ports
from tradewind_local.twin.queues import Queues
from tradewind_local.twin.template import SOURCE_TREE, StandIns

# The database roles that functions log in as; migrate_schema creates them without a password,
# because on AWS they log in by IAM token.
_LOGINS_LIKE = "tw\\_%"
_EXECUTIONS_SECONDS = 15.0
_QUEUES_SECONDS = 5.0

Say = Callable[[str], None]


class LocalTwin:
    """``start()`` brings it up from whatever the folder holds, ``stop()`` takes it down surely.

    Start it from the main thread: its processes die with the thread that started them.
    """

    def __init__(
        self, root: Path, folder: StateFolder, symbols: tuple[str, ...], seed: int
    ) -> None:
        """``root`` is the checkout with template.yaml; ``seed`` shapes the exchange's ticks and
        stays with the folder (InvalidInputError for another one)."""
        folder.settle_seed(seed)
        self._root = root
        self._folder = folder
        self._symbols = symbols
        self.reports = folder.fresh_reports()
        self._ports = Ports.read(folder.ports)
        self.postgres = PostgresServer(folder.postgres, port=self._ports.postgres)
        self.exchange = ExchangeProcess(folder.exchange, seed=seed, port=self._ports.exchange)
        self.cloud = LocalCloud(folder.cloud, folder.supervisor)
        self.deployment = Deployment([], {}, {}, {})
        self._complete = False

    @property
    def market(self) -> ExchangeControl:
        return self.exchange.control

    def start(self, say: Say) -> None:
        for name in self._folder.supervisor.remove_stale():
            say(f"ended a {name} that an earlier command left behind")
        self.postgres.start()
        self.exchange.start()
        self._start_cloud(say)
        self._deploy(say)
        self._let_functions_log_in()
        self._fill_secrets()
        self._complete = True

    def stop(self) -> None:
        """Stop everything. The local cloud saves its state only when it is whole: a stack half
        deployed cannot be gone on from, and a run under way would come back as failed, while a
        forgotten one is simply run again."""
        try:
            if self._complete and self.cloud.alive() and self._executions_ended():
                self._let_queues_run_dry()
                self.cloud.stop()
        finally:
            self.cloud.kill()
            self.exchange.stop()
            self.postgres.stop()
            self._folder.supervisor.forget_all()

    def queues(self) -> Queues:
        return Queues(self.cloud, self.deployment.of_type("AWS::SQS::Queue"))

    def owner_connection(self) -> pg8000.native.Connection:
        """A connection to the database as its owner."""
        return pg8000.native.Connection(
            self.postgres.user,
            host=self.postgres.host,
            port=self.postgres.port,
            database=self.postgres.database,
            password=self.postgres.password,
        )

    def _start_cloud(self, say: Say) -> None:
        """The saved cloud is gone on from only where every server is on its old port again; a new
        one is no loss but of time: what was decided and sent stands in database and exchange."""
        noted = self._ports
        ports = Ports(self.postgres.port, self.exchange.port, noted.cloud)
        saved = noted.cloud != 0 and self.cloud.saved
        self.cloud.start(noted.cloud if ports == noted else 0)
        if saved and not self.cloud.resumed:
            say("a port of the saved local cloud is taken, starting with a new one")
        self._ports = replace(ports, cloud=self.cloud.port)
        self._ports.write(self._folder.ports)

    def _deploy(self, say: Say) -> None:
        settings = LocalSettings(
            parameters={
                "TradingUrl": self.exchange.url,
                "MarketDataUrl": self.exchange.url,
                "AlphaVantageUrl": self.exchange.url,
                "Symbols": ",".join(self._symbols),
                "EnableBrokerWebhook": "true",
                "ResearchImageUri": SOURCE_TREE,
            },
            variables={"CLOCK_URL": f"{self.exchange.url}/_sim/clock"},
            database_variables={
                "DATABASE_PASSWORD": self.postgres.password,
                "DATABASE_TLS": "off",
            },
            stand_ins=StandIns(
                {
                    "AWS::RDS::DBInstance": {
                        "Endpoint.Address": self.postgres.host,
                        "Endpoint.Port": str(self.postgres.port),
                    }
                }
            ),
        )
        try:
            self.deployment = deploy(self._root, self.cloud, self.reports, settings)
        except DeployFailedError as failure:
            if not self.cloud.resumed:
                raise
            say(f"the saved local cloud cannot be updated, starting with a new one ({failure})")
            self.cloud.kill()
            self._ports = replace(self._ports, cloud=0)
            self._start_cloud(say)
            self.deployment = deploy(self._root, self.cloud, self.reports, settings)

    def _let_functions_log_in(self) -> None:
        connection = self.owner_connection()
        try:
            logins = connection.run(
                "SELECT rolname FROM pg_roles WHERE rolname LIKE :pattern", pattern=_LOGINS_LIKE
            )
            for (login,) in logins or []:
                name = pg8000.native.identifier(login)
                password = pg8000.native.literal(self.postgres.password)
                connection.run(f"ALTER ROLE {name} PASSWORD {password}")
        finally:
            connection.close()

    def _fill_secrets(self) -> None:
        """Keys that only the simulated exchange takes (it takes any)."""
        values: dict[str, dict[str, str]] = {
            "BrokerSecret": {"api_key": "SIMULATED", "secret_key": "simulated"},
            "BrokerWebhookSecret": {"signing_secret": "simulated"},
            "AlphaVantageSecret": {"api_key": "SIMULATED"},
            "SlackSecret": {"webhook_url": f"{self.exchange.url}/slack/simulated"},
        }
        secrets = self.cloud.client("secretsmanager")
        for name in values.keys() & self.deployment.resources.keys():
            secrets.put_secret_value(
                SecretId=self.deployment.resources[name], SecretString=json.dumps(values[name])
            )

    def _let_queues_run_dry(self) -> None:
        """A message in a function's hands when everything stops stays hidden from the next command
        for minutes. Those that nobody could deliver by now are saved with their queue."""
        queues = self.queues()
        deadline = time.monotonic() + _QUEUES_SECONDS
        while self.cloud.alive() and queues.undelivered() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _executions_ended(self) -> bool:
        """Wait for running executions; False when some are still running after a while."""
        machines: list[str] = list(
            self.deployment.of_type("AWS::StepFunctions::StateMachine").values()
        )
        states: Any = self.cloud.client("stepfunctions")
        deadline = time.monotonic() + _EXECUTIONS_SECONDS
        for machine in machines:
            while states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")[
                "executions"
            ]:
                if time.monotonic() > deadline or not self.cloud.alive():
                    return False
                time.sleep(0.05)
        return True

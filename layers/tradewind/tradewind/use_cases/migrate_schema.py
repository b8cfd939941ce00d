"""What a deployment does to the store of record, and the model a new system starts with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tradewind.prediction.registry import CHAMPION_KEY, card_of, champion_of, check_model
from tradewind.use_cases.unit_of_work import Database


class ModelObjects(Protocol):
    """The model bucket."""

    def newest(self, key: str) -> bytes | None: ...

    def put(self, key: str, body: bytes, count: int) -> object: ...


@dataclass(frozen=True, slots=True)
class StarterModel:
    """The model that ships with the code: its file, its card, and the pointer to it."""

    model: bytes
    card: bytes
    champion: bytes


@dataclass(frozen=True, slots=True)
class Migrator:
    """``migrate`` brings the schema up and answers its version."""

    migrate: Callable[[], str]
    database: Database
    models: ModelObjects
    starter: StarterModel

    def run(self) -> dict[str, str]:
        """Schema, roles and starter model; running it again changes nothing.

        A model that is in the bucket is never overwritten, and a champion that was chosen never
        replaced. The pointer is written last: it never names a model that is not there. Answers
        the schema's version, the starter's, and the version that now serves.
        """
        schema_version = self.migrate()
        card = card_of(self.starter.card)
        check_model(card, self.starter.model, card.feature_fingerprint)
        with self.database.transaction() as stores:
            stores.models.register(card)
        starter = champion_of(self.starter.champion)
        self._put_if_absent(starter.model_key, self.starter.model)
        self._put_if_absent(starter.card_key, self.starter.card)
        champion = champion_of(self._put_if_absent(CHAMPION_KEY, self.starter.champion))
        return {
            "schema_version": schema_version,
            "starter_model": starter.model_version,
            "champion_model": champion.model_version,
        }

    def _put_if_absent(self, key: str, body: bytes) -> bytes:
        """What lies under the key afterwards."""
        there = self.models.newest(key)
        if there is not None:
            return there
        self.models.put(key, body, 1)
        return body

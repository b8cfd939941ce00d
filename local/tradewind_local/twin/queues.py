"""The queues of the deployed stack: what waits in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tradewind_local.twin.cloud import LocalCloud

# Waiting, being worked on, and not to be seen yet.
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class Queues:
    """``addresses`` are the stack's queues, by logical name."""

    def __init__(self, cloud: LocalCloud, addresses: Mapping[str, str]) -> None:
        self._queues: Any = cloud.client("sqs")
        self._functions: Any = cloud.client("lambda")
        self._addresses = addresses

    def undelivered(self) -> dict[str, int]:
        """Messages that a function has still to read: queue -> count, zeros left out."""
        fed = self._read_by_functions()
        return {
            name: count
            for url in self._addresses.values()
            if (name := _name(url)) in fed and (count := self._length(url))
        }

    def dead_letters(self) -> dict[str, int]:
        """Messages in the queues that no function reads: logical name -> count, zeros left out."""
        fed = self._read_by_functions()
        return {
            logical: count
            for logical, url in self._addresses.items()
            if _name(url) not in fed and (count := self._length(url))
        }

    def _read_by_functions(self) -> set[str]:
        mappings = self._functions.list_event_source_mappings()["EventSourceMappings"]
        return {mapping["EventSourceArn"].rsplit(":", 1)[1] for mapping in mappings}

    def _length(self, url: str) -> int:
        attributes = self._queues.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))[
            "Attributes"
        ]
        return sum(int(attributes.get(name, 0)) for name in _COUNTS)


def _name(url: str) -> str:
    return url.rsplit("/", 1)[1]

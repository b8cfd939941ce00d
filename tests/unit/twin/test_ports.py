"""The note of ports, and what counts as free."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tradewind_local.twin.ports import HOST, Ports, free_port, is_free


def test_ports_come_back_as_they_were_written(tmp_path: Path) -> None:
    ports = Ports(postgres=40001, exchange=40002, cloud=40003)
    ports.write(tmp_path / "ports.json")
    assert Ports.read(tmp_path / "ports.json") == ports
    assert [path.name for path in tmp_path.iterdir()] == ["ports.json"]


@pytest.mark.parametrize("text", [None, "", "[]", "null", '{"cloud": 1}', '{"postgres": "x"}'])
def test_without_a_whole_note_no_port_is_known(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "ports.json").write_text(text)
    assert Ports.read(tmp_path / "ports.json") == Ports()


def test_a_port_is_free_unless_somebody_listens() -> None:
    with socket.create_server((HOST, 0)) as taken:
        assert not is_free(taken.getsockname()[1])
    assert is_free(free_port())

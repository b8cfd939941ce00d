"""Old months of bars in S3, against moto's S3."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tradewind.adapters.bar_archive import S3BarArchive
from tradewind.errors import PayloadMismatchError

BUCKET = "archive"
KEY = "bars/archive/2020-11.jsonl.gz"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def body_of(s3: Any) -> bytes:
    body: bytes = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    return body


def test_what_was_written_is_read_line_by_line(s3: Any) -> None:
    archive = S3BarArchive(s3, BUCKET)
    archive.write(KEY, ["one\ntwo\n", "", "three\n"])
    assert list(archive.read(KEY)) == [b"one\n", b"two\n", b"three\n"]
    # Anybody's gzip reads it.
    assert gzip.decompress(body_of(s3)) == b"one\ntwo\nthree\n"


def test_the_same_bars_make_the_same_object(s3: Any) -> None:
    archive = S3BarArchive(s3, BUCKET)
    archive.write(KEY, ["one\n" * 1000])
    first = body_of(s3)
    archive.write(KEY, ["one\n" * 500, "one\n" * 500])
    assert body_of(s3) == first


def test_nothing_is_an_archive_too(s3: Any) -> None:
    archive = S3BarArchive(s3, BUCKET)
    archive.write(KEY, [])
    assert list(archive.read(KEY)) == []


def test_lines_that_stop_coming_leave_no_object(s3: Any) -> None:
    def lines() -> Iterator[str]:
        yield "one\n"
        raise ZeroDivisionError

    archive = S3BarArchive(s3, BUCKET)
    with pytest.raises(ZeroDivisionError):
        archive.write(KEY, lines())
    with pytest.raises(PayloadMismatchError, match="gone"):
        list(archive.read(KEY))


# (what happened to the object, its bytes afterwards)
DAMAGED = [
    ("cut off", lambda body: body[:-20]),
    ("a byte changed", lambda body: body[:30] + bytes([body[30] ^ 0xFF]) + body[31:]),
    ("no gzip any more", lambda body: b"<html>" + body[6:]),
]


@pytest.mark.parametrize(("what", "damage"), DAMAGED)
def test_a_damaged_archive_is_told(s3: Any, what: str, damage: Any) -> None:
    archive = S3BarArchive(s3, BUCKET)
    archive.write(KEY, [f"line {number}\n" for number in range(1000)])
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=damage(body_of(s3)))
    with pytest.raises(PayloadMismatchError, match="cannot be decompressed"):
        list(archive.read(KEY))

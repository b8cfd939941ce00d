"""Payloads by reference, against moto's S3."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws
from tradewind.adapters.s3 import S3Objects
from tradewind.errors import PayloadMismatchError
from tradewind.use_cases.ports import PayloadRef


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Objects]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="payloads")
        yield S3Objects(s3, "payloads")


def test_what_is_put_is_got(objects: S3Objects) -> None:
    ref = objects.put("cycles/one/bars.json", b"[]", 0)
    assert objects.get(ref) == b"[]"
    assert PayloadRef.from_payload(ref.as_payload()) == ref


def test_a_changed_object_is_refused(objects: S3Objects) -> None:
    ref = objects.put("cycles/one/bars.json", b"[1]", 1)
    objects.put("cycles/one/bars.json", b"[2]", 1)
    with pytest.raises(PayloadMismatchError, match="not what was written"):
        objects.get(ref)


def test_a_missing_object_is_refused(objects: S3Objects) -> None:
    with pytest.raises(PayloadMismatchError, match="is gone"):
        objects.get(PayloadRef("cycles/none", "00", 1))
    assert objects.newest("cycles/none") is None

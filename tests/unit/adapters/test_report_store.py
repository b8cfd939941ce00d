"""Finished reports, against moto's S3."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws
from tradewind.adapters.report_store import S3ReportStore


def test_a_report_is_kept_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="kept")
        store = S3ReportStore(s3, "kept")
        for body in (b"first", b"<p>second</p>"):
            store.put("reports/paper/2020-11-12.html", body, "text/html; charset=utf-8")
        kept = s3.get_object(Bucket="kept", Key="reports/paper/2020-11-12.html")
        assert kept["Body"].read() == b"<p>second</p>"
        assert kept["ContentType"] == "text/html; charset=utf-8"

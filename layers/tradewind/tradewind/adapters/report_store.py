"""Finished reports in S3."""

from __future__ import annotations

from typing import Any


class S3ReportStore:
    """Implements ``ReportStore`` in one bucket; ``client`` is a boto3 S3 client."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, body: bytes, content_type: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)

"""Payloads by reference, and models, in S3."""

from __future__ import annotations

import hashlib
from typing import Any

from tradewind.errors import PayloadMismatchError
from tradewind.use_cases.ports import PayloadRef


class S3Objects:
    """One bucket; ``client`` is a boto3 S3 client."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, body: bytes, count: int) -> PayloadRef:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body)
        return PayloadRef(key, hashlib.sha256(body).hexdigest(), count)

    def get(self, ref: PayloadRef) -> bytes:
        body = self.newest(ref.key)
        if body is None:
            raise PayloadMismatchError(f"s3://{self._bucket}/{ref.key} is gone")
        if hashlib.sha256(body).hexdigest() != ref.sha256:
            raise PayloadMismatchError(f"s3://{self._bucket}/{ref.key} is not what was written")
        return body

    def newest(self, key: str) -> bytes | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None
        body: bytes = answer["Body"].read()
        return body

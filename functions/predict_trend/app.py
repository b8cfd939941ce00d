"""Serves the champion model on the run's feature windows."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.cycle import Cycle
from tradewind.prediction.payload import prediction_payload
from tradewind.use_cases.ports import PayloadRef
from tradewind.use_cases.predict_trend import predict_trend

logger = Logger(service="predict_trend")


@logger.inject_lambda_context(correlation_id_path="cycle.execution")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    features = event["features"]
    made = predict_trend(
        Cycle.from_payload(event["cycle"]),
        PayloadRef.from_payload(features["windows"]),
        features["fingerprint"],
        model=bootstrap.trend_model(),
        payloads=bootstrap.payloads(),
    )
    return {"predictions": [prediction_payload(prediction) for prediction in made]}

"""The account and its configuration under ``/v2/account``, and what the configuration forbids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tradewind_local.exchange import bodies, refusals, trading_api
from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.http_messages import Request, Response

_BOOLEAN = (True, False)
# What a client may change, and to what.
_CHOICES: dict[str, tuple[object, ...]] = {
    "no_shorting": _BOOLEAN,
    "suspend_trade": _BOOLEAN,
    "fractional_trading": _BOOLEAN,
    "ptp_no_exception_entry": _BOOLEAN,
    "max_margin_multiplier": ("1", "2", "4"),
    "trade_confirm_email": ("all", "none"),
    "max_options_trading_level": (0, 1, 2, 3),
}
_DEFAULT: bodies.Body = {
    "no_shorting": True,
    "suspend_trade": False,
    "fractional_trading": True,
    "max_margin_multiplier": "1",
    "trade_confirm_email": "none",
    "ptp_no_exception_entry": False,
    "max_options_trading_level": 0,
}


class AccountApi:
    """Keeps the configuration. Only ``suspend_trade`` changes what the exchange does: the account
    is a cash account without shorting whatever the others say."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        """``saved``: the configuration that an earlier process left."""
        self.configuration: bodies.Body = {**_DEFAULT, **(saved or {})}

    def forget(self) -> None:
        self.configuration = dict(_DEFAULT)

    def post_order(self, exchange: Exchange, request: Request) -> Response:
        if self._is_suspended:
            raise refusals.suspended()
        return trading_api.post_order(exchange, request)

    def get_account(self, exchange: Exchange, _request: Request) -> Response:
        return Response.json(bodies.account_body(exchange, self._is_suspended))

    def get_configuration(self, _exchange: Exchange, _request: Request) -> Response:
        return Response.json(self.configuration)

    def patch_configuration(self, _exchange: Exchange, request: Request) -> Response:
        changes = request.json()
        if not isinstance(changes, Mapping):
            raise refusals.malformed("the configuration must be a JSON object")
        for name, value in changes.items():
            allowed = _CHOICES.get(name)
            # True == 1 in Python, but not in a configuration.
            if allowed is None or not any(
                value == choice and type(value) is type(choice) for choice in allowed
            ):
                raise refusals.unprocessable(f"invalid {name}: {value}")
        self.configuration.update(changes)
        return Response.json(self.configuration)

    @property
    def _is_suspended(self) -> bool:
        return self.configuration["suspend_trade"] is True

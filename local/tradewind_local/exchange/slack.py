"""The Slack incoming webhook: it records, and answers the plain text Slack answers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from tradewind_local.exchange.http_messages import Request, Response
from tradewind_local.exchange.wire import read_json

# A message needs one of these to have something to show.
CONTENT = ("text", "blocks", "attachments")


def read_message(request: Request) -> Mapping[str, object] | Response:
    """The message, or Slack's refusal of it (400 ``invalid_payload`` or ``no_text``)."""
    body = request.body
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        body = parse_qs(body.decode(errors="replace")).get("payload", [""])[0].encode()
    try:
        message = read_json(body)
    except ValueError:
        return Response.text("invalid_payload", 400)
    if not isinstance(message, Mapping):
        return Response.text("invalid_payload", 400)
    if not any(message.get(name) for name in CONTENT):
        return Response.text("no_text", 400)
    return message

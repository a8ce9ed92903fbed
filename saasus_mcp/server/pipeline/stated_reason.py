"""The reason that a caller states for a call. A person and the audit log see it; no decision depends on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from saasus_mcp.catalog.model import MAX_REASON_LENGTH
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import visible_text
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.secret_names import scrub_text

REASON_META_KEY = "saasus.io/reason"
"""The member of `_meta` that carries the reason of a call of an operation's own tool."""


def reason_from_meta(meta: Mapping[str, Any] | None) -> str:
    """Return the reason in the `_meta` of a request, or an empty text.

    Raises:
        InvalidArguments: the reason is not a text, or too long.
    """
    reason = (meta or {}).get(REASON_META_KEY, "")
    if not isinstance(reason, str) or len(reason) > MAX_REASON_LENGTH:
        raise InvalidArguments(("_meta", REASON_META_KEY), message("server.reason_invalid", count=MAX_REASON_LENGTH))
    return reason


def sanitize_reason(reason: str, secrets: KnownSecrets, argument_secrets: Iterable[str]) -> str:
    """Return the reason on one line, with every character visible, without the secrets of the server and of the call."""
    text = scrub_text(secrets.with_texts(argument_secrets).text(" ".join(reason.split())))
    return " ".join(visible_text(text, mark=" ").split())[:MAX_REASON_LENGTH]

"""Why a caller wants a call, in its own words: shown to the person who is asked, kept in the audit, never trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments, Schema
from saasus_mcp.common.text import visible_text
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.secret_names import scrub_text

MAX_REASON_LENGTH = 200
REASON_META_KEY = "saasus.io/reason"
"""Where a call of an operation's own tool carries it, in `_meta`."""
REASON_SCHEMA: Schema = {"type": "string", "maxLength": MAX_REASON_LENGTH, "description": "why, for the person asked"}


def reason_from_meta(meta: Mapping[str, Any] | None) -> str:
    """The reason in the `_meta` of a request; empty where there is none.

    Raises:
        InvalidArguments: it is no text, or too long.
    """
    given = (meta or {}).get(REASON_META_KEY, "")
    if not isinstance(given, str) or len(given) > MAX_REASON_LENGTH:
        raise InvalidArguments(
            ("_meta", REASON_META_KEY), f"expected a text of at most {MAX_REASON_LENGTH} characters."
        )
    return given


def sanitize_reason(reason: str, secrets: KnownSecrets) -> str:
    """The reason as others may see it: one line, every character visible, without the secrets of the call and of the server."""
    text = scrub_text(secrets.text(" ".join(reason.split())))
    return " ".join(visible_text(text, mark=" ").split())[:MAX_REASON_LENGTH]

"""Why a caller wants a call, in its own words: shown to the person who is asked, kept in the audit, never trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.catalog.model import Schema
from saasus_mcp.saasus.places import InvalidArguments
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.secrets import scrub
from saasus_mcp.saasus.words import visible

LONGEST = 200
KEY = "saasus.io/reason"
"""Where a call of an operation's own tool carries it, in `_meta`."""
REASON: Schema = {"type": "string", "maxLength": LONGEST, "description": "why, for the person asked"}


def of_meta(meta: Mapping[str, Any] | None) -> str:
    """The reason in the `_meta` of a request; empty where there is none.

    Raises:
        InvalidArguments: it is no text, or too long.
    """
    given = (meta or {}).get(KEY, "")
    if not isinstance(given, str) or len(given) > LONGEST:
        raise InvalidArguments(("_meta", KEY), f"expected a text of at most {LONGEST} characters.")
    return given


def shown(reason: str, secrets: KnownSecrets) -> str:
    """The reason as others may see it: one line, every character visible, without the secrets of the call and of the server."""
    text = scrub(secrets.text(" ".join(reason.split())))
    return " ".join(visible(text, mark=" ").split())[:LONGEST]

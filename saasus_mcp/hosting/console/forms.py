"""Read the console's forms, and reject forms of other sites (CSRF)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qs, urlsplit

from starlette.requests import Request

from saasus_mcp.hosting.console.signin_sessions import ConsoleSession

MAX_FORM_BYTES = 64 * 1024
"""The longest field is the encrypted state of a question, with the target as it was read."""
MAX_FIELDS = 20
MAX_REASON_LENGTH = 500


class InvalidForm(Exception):
    """The form is too large, has no valid token, or was sent from another site."""


def is_cross_site(request: Request) -> bool:
    """Return True if a link of another site led here. The browser then leaves out the strict session cookie."""
    return request.headers.get("sec-fetch-site") == "cross-site"


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form of this site.

    Raises:
        InvalidForm: the form is too large, or another site sent it.
    """
    if not _is_same_origin(request):
        raise InvalidForm
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise InvalidForm
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InvalidForm from None
    return {name: values[0] for name, values in fields.items()}


def check_csrf(fields: Mapping[str, str], session: ConsoleSession) -> None:
    """Check that the form has the CSRF token of the session.

    Raises:
        InvalidForm: it has not.
    """
    if not session.csrf or not hmac.compare_digest(fields.get("csrf", "").encode(), session.csrf.encode()):
        raise InvalidForm


def read_reason(fields: Mapping[str, str]) -> str:
    """Return the reason that a person gave, shortened to what is stored; empty without one."""
    return fields.get("reason", "").strip()[:MAX_REASON_LENGTH]


def _is_same_origin(request: Request) -> bool:
    """Return True if the browser says that this site sent the form. A request that says nothing is not from a browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and split_address(origin).netloc == request.headers.get("host", "")


def split_address(address: str) -> SplitResult:
    """Return the parts of an address that a browser sent, all empty if it is not valid."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")

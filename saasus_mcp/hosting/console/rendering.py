"""Requests and responses of the console: forms, cookies, headers and the language; and what a forged form meets."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import tzinfo
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from saasus_mcp.common import timezones
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import visible_text
from saasus_mcp.hosting.console.signin_sessions import ConsoleSession
from saasus_mcp.hosting.console.wording import WORDS
from saasus_mcp.permissions.question.formatting import Reader

if TYPE_CHECKING:
    from jinja2 import Environment

BASE_PATH = "/console"
SESSION_COOKIE = "saasus_console"
LANGUAGE_COOKIE = "saasus_language"
ZONE_COOKIE = "saasus_time_zone"
MAX_FORM_BYTES = 16 * 1024
SEE_OTHER, FORBIDDEN, NOT_FOUND, CONFLICT, UNPROCESSABLE, TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE = (
    303,
    403,
    404,
    409,
    422,
    429,
    503,
)
CONSOLE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: under that a browser says that its forms come from the origin "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}
PATH_PATTERN = re.compile(r"(/[A-Za-z0-9_-]{1,80}){0,3}")


class InvalidForm(Exception):
    """The form is too large, has no valid token, or was sent from another site."""


@cache
def template_environment() -> Environment:
    """The pages. Everything that enters them is escaped, and what cannot be seen in a text is made visible."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only where a page is asked for

    environment = Environment(
        loader=PackageLoader("saasus_mcp.hosting.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = lambda value: visible_text(str(value if value is not None else ""))
    return environment


def request_language(request: Request, default: Language) -> Language:
    """The reader's choice, else what their browser asks for, else the server's."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in ("en", "ja"):
        return "ja" if chosen == "ja" else "en"
    wanted = request.headers.get("accept-language", "").lower()
    if not wanted:
        return default
    return "ja" if wanted.startswith("ja") else "en"


def request_reader(request: Request, default: Language, zone: tzinfo | None) -> Reader:
    """Who reads: in the language and the time zone that they chose, else in those of the server."""
    chosen = request.cookies.get(ZONE_COOKIE, "")
    return Reader.of(request_language(request, default), timezones.find_time_zone(chosen) or zone)


def render_page(
    template: str, lang: Language, session: ConsoleSession | None, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """One page."""
    common = {
        "t": WORDS[lang],
        "lang": lang,
        "session": session,
        "base": BASE_PATH,
        "refresh": "",
        "here": "",
        "back": "",
    }
    given = {**common, "sandbox": False, **values}
    return HTMLResponse(
        template_environment().get_template(f"{template}.html").render(given), status, headers=CONSOLE_HEADERS
    )


def render_message(
    word: str, lang: Language, session: ConsoleSession | None, status: int, **values: Any
) -> HTMLResponse:
    """A page with nothing but one thing said."""
    return render_page("message", lang, session, status=status, message=WORDS[lang][word], **values)


def redirect_to(path: str) -> Response:
    """To another page of the console, after something was done."""
    return RedirectResponse(BASE_PATH + path, SEE_OTHER, headers=CONSOLE_HEADERS)


def safe_path(path: str) -> str:
    """A page of the console by its path below it; the first page where it is no such path."""
    return path if PATH_PATTERN.fullmatch(path) else ""


def cookie_name(request: Request, *, secure: bool) -> str:
    """Of the session's cookie. The prefix binds it to this very host, so that no neighbouring one can set it; on loopback
    the port tells consoles apart, since cookies do not.
    """
    return f"__Host-{SESSION_COOKIE}" if secure else f"{SESSION_COOKIE}_{request.url.port or 80}"


def is_cross_site(request: Request) -> bool:
    """Whether a link of another site led here: then a browser leaves the strict cookie out, signed in or not."""
    return request.headers.get("sec-fetch-site") == "cross-site"


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form that came from this very site.

    Raises:
        BadForm: it is too large, or another site sent it.
    """
    if not _same_site(request):
        raise InvalidForm
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise InvalidForm
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise InvalidForm from None
    return {name: values[0] for name, values in fields.items()}


def check_csrf(fields: Mapping[str, str], session: ConsoleSession) -> None:
    """See that the form is one that this session was shown.

    Raises:
        BadForm: it is not.
    """
    if not hmac.compare_digest(fields.get("csrf", "").encode(), session.csrf.encode()):
        raise InvalidForm


def _same_site(request: Request) -> bool:
    """Browsers say where a form was sent from; what says nothing at all is no browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host", "")

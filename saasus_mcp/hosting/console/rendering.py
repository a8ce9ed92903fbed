"""Render the console's pages: templates, language, time zone, headers and redirects."""

from __future__ import annotations

import hashlib
import re
from datetime import tzinfo
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from saasus_mcp.catalog import Level
from saasus_mcp.common import timezones
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.settings.environment import Mode
from saasus_mcp.store.signin_sessions import ConsoleSession

if TYPE_CHECKING:
    from jinja2 import Environment

BASE_PATH = "/console"
STATIC_FOLDER = Path(__file__).parent
STATIC_FILES = ("style.css", "console.js", "notifications.js", "icon.svg")
LANGUAGE_COOKIE = "saasus_language"
ZONE_COOKIE = "saasus_time_zone"
CONSOLE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, a browser sends its forms with the origin "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}
COMMAND_PATTERN = re.compile("[“「](saasus-mcp [^”」]+)[”」]")
"""A quoted command in a text: every second part is one."""
JAPANESE_RUN = re.compile("[“「]?[\u3005\u3007\u3040-\u30ff\u3400-\u9fff]{2,}[”」]?")
"""Kanji and kana in a row, with the quotation marks around them."""
PRESET_RULE_PATTERN = re.compile(f"({'|'.join(get_args(Mode))})/({'|'.join(get_args(Level))})")
"""A rule of a policy that comes with the server."""
PATH_PATTERN = re.compile(r"(/[A-Za-z0-9_-]{1,80}){0,3}")
QUERY_PATTERN = re.compile(r"[A-Za-z0-9_=&%.+:~*-]{0,1000}")


@cache
def static_version() -> str:
    """Return a digest of the static files. It is part of their URLs, so that a page and its files are of one version."""
    contents = ((STATIC_FOLDER / name).read_bytes() for name in STATIC_FILES)
    return hashlib.sha256(b"".join(contents)).hexdigest()[:12]


@cache
def template_environment() -> Environment:
    """Return the templates. All values are escaped, and the filter `visible` makes invisible characters visible."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only when a page is rendered

    environment = Environment(
        loader=PackageLoader("saasus_mcp.hosting.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = lambda value: visible_text(str(value if value is not None else ""))
    environment.filters["breakable"] = breakable
    environment.filters["opened"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["split_commands"] = COMMAND_PATTERN.split
    environment.filters["japanese_runs"] = japanese_runs
    environment.globals |= {"rule_words": rule_words, "one_of": one_of}
    return environment


def breakable(name: object) -> str:
    """Return the name of a tool, an argument or a rule as HTML that breaks after `_` and `/`, and not within a word."""
    from jinja2.filters import do_forceescape, do_mark_safe  # noqa: PLC0415 - only when a page is rendered

    return do_mark_safe(re.sub("([_/])", r"\1<wbr>", str(do_forceescape(visible_text(str(name))))))


def japanese_runs(text: object) -> str:
    """Return a text as HTML in which Japanese is marked as such: on an English page, its lines then break between its words too."""
    from jinja2.filters import do_forceescape, do_mark_safe  # noqa: PLC0415 - only when a page is rendered

    return do_mark_safe(JAPANESE_RUN.sub(r'<span lang="ja">\g<0></span>', str(do_forceescape(visible_text(str(text))))))


def rule_words(rule: str) -> Message | None:
    """Return what a rule is in words, if it belongs to a policy that comes with the server."""
    found = PRESET_RULE_PATTERN.fullmatch(rule)
    return (
        message("console.preset_rule", mode=found[1], level=one_of("console.level_name", found[2])) if found else None
    )


def request_language(request: Request, default: Language) -> Language:
    """Return the language that the person chose, else the browser's, else the server's."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in ("en", "ja"):
        return "ja" if chosen == "ja" else "en"
    wanted = request.headers.get("accept-language", "").lower()
    if not wanted:
        return default
    return "ja" if wanted.startswith("ja") else "en"


def request_reader(request: Request, default: Language, zone: tzinfo | None) -> Reader:
    """Return the reader, with the language and the time zone that they chose, else those of the server."""
    chosen = request.cookies.get(ZONE_COOKIE, "")
    return Reader.of(request_language(request, default), timezones.find_time_zone(chosen) or zone)


def render_page(
    template: str, language: Language, session: ConsoleSession | None, *, status: int = HTTPStatus.OK, **values: Any
) -> HTMLResponse:
    """Return a page. `values`: the variables of the template. In a template, `t` renders a message or the id of one."""

    def t(text: Message | str, **params: Any) -> str:
        return (message(text, **params) if isinstance(text, str) else text).text(language)

    defaults = {
        "sandbox": False,
        "refresh": "",
        "here": "",
        "back": "",
        "address": "",
        "state": None,
        "frozen": None,
        "reload_seconds": 0,
    }
    defaults["version"] = static_version()
    variables = {**defaults, "t": t, "lang": language, "session": session, "base": BASE_PATH, **values}
    text = template_environment().get_template(f"{template}.html").render(variables)
    return HTMLResponse(text, status, headers=CONSOLE_HEADERS)


def render_message(text: Message, language: Language, status: int) -> HTMLResponse:
    """Return a page with one message, for a browser without a session."""
    return render_page("message", language, None, status=status, **message_values(text, status))


def message_values(text: Message, status: int) -> dict[str, Any]:
    """Return the variables of the page with one message. It has no address of its own to return to."""
    heading = "console.not_found_title" if status == HTTPStatus.NOT_FOUND else "console.failed_title"
    return {"message": text, "heading": heading, "back": ""}


def redirect_to(path: str) -> Response:
    """Return a redirect to another page of the console, after a form."""
    return RedirectResponse(BASE_PATH + path, HTTPStatus.SEE_OTHER, headers=CONSOLE_HEADERS)


def safe_path(path: str) -> str:
    """Return a path below /console, or the first page if it is not a valid path."""
    return path if PATH_PATTERN.fullmatch(path) else ""


def return_path(path: str, query: str) -> str:
    """Return a path with its query below /console, or the first page if they are not valid."""
    wanted = safe_path(path)
    return f"{wanted}?{query}" if wanted and query and QUERY_PATTERN.fullmatch(query) else wanted


def requested_address(request: Request) -> str:
    """Return the path and the query of a request below /console, as `return_path` does."""
    return return_path(request.url.path.removeprefix(BASE_PATH), request.url.query)


def safe_return(wanted: str) -> str:
    """Return what `return_path` made, and the first page for anything else: cookies can be written by others."""
    path, _, query = wanted.partition("?")
    return return_path(path, query)

"""The documents of the apps: one self-contained page each, put together from the files of `pages/`.

A document loads nothing. Its own policy allows its one script and its one stylesheet by their hashes, and nothing else, whatever the
client allows.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from saasus_mcp.catalog.question_texts import load_question_texts
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import templates_of

PAGES = Path(__file__).with_name("pages")
APPS: Mapping[str, tuple[str, ...]] = {
    "approval": ("runtime", "approval", "app_approval"),
    "job": ("runtime", "table", "chart", "approval", "job", "app_job"),
    "table": ("runtime", "table", "app_table"),
}
"""The scripts of each app. All share the first."""
COLUMNS = "jobs_reports.column."
"""The group of messages with the headings of reports. In English, they are the names of fields."""
_TEXT_USE = re.compile(r'\b(?:t|oneOf)\("(apps\.[\w.]+)"')


@cache
def build_document(name: str) -> str:
    """Return the document of an app, with its texts in both languages."""
    script = "\n".join(_read(f"{part}.js") for part in APPS[name])
    labels = _as_script(field_labels() if "table" in APPS[name] else {})
    data = f"const TEXTS = {_as_script(app_texts(script))};\nconst FIELDS = {labels};"
    body = f'"use strict";\n(() => {{\n{data}\n{script}\n}})();'
    style = _read("style.css")
    allowed = f"script-src '{_hash(body)}'; style-src '{_hash(style)}'"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    return _read("page.html").format(policy=policy, style=style, script=body)


def app_texts(script: str) -> dict[str, dict[str, Any]]:
    """Return the texts that a script shows, by language. A text that counts is a list of a singular and a plural.

    A script names a text in `t("apps.key")`, or a group in `oneOf("apps.group.", value)`.
    """
    used = frozenset(_TEXT_USE.findall(script))
    groups = tuple(key for key in used if key.endswith("."))
    return {
        language: {
            key: text for key, text in templates_of("apps.", language).items() if key in used or key.startswith(groups)
        }
        for language in get_args(Language)
    }


def field_labels() -> dict[str, dict[str, str]]:
    """Return how people call the fields of answers, by language."""
    fields = load_question_texts().fields
    labels = {
        language: {name: each.label.text(language) for name, each in fields.items() if "." not in name}
        for language in get_args(Language)
    }
    headings = {key.removeprefix(COLUMNS): str(text) for key, text in templates_of(COLUMNS, "ja").items()}
    return {**labels, "ja": headings | labels["ja"]}


def _read(file: str) -> str:
    """Return a file without its indentation, and a script without the comments on lines of their own."""
    lines = (line.strip() for line in (PAGES / file).read_text(encoding="utf-8").splitlines())
    comments = ("//", "/*", "*") if file.endswith(".js") else ("/*",)
    return "\n".join(line for line in lines if line and not line.startswith(comments))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _as_script(value: Any) -> str:
    """Return JSON that ends no script element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")

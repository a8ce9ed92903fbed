"""The documents of the apps: self-contained, small, with a policy of their own, and without ways to make markup of data."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import get_args

import pytest

from saasus_mcp.common.outcome import Outcome
from saasus_mcp.jobs.job_report import OUTPUT_SCHEMA
from saasus_mcp.server.apps.documents import APPS, PAGES, app_texts, build_document
from saasus_mcp.store.job_records import RowOutcome
from saasus_mcp.store.records import ApprovalStatus

MAX_BYTES = {"approval": 30_000, "job": 82_000, "table": 58_000}
SINKS = (
    "innerHTML",
    "outerHTML",
    "insertAdjacent",
    "document.write",
    "eval(",
    "Function(",
    "setHTML",
    "srcdoc",
    "DOMParser",
)
LOADERS = (
    "fetch(",
    "XMLHttpRequest",
    "WebSocket",
    "EventSource",
    "sendBeacon",
    "import(",
    "new Worker",
    "new Image",
    "<link",
    "<img",
    "@import",
    "url(",
)
BY_APP = pytest.mark.parametrize("name", APPS)


def part(document: str, tag: str) -> str:
    found = re.fullmatch(rf".*<{tag}>(.*)</{tag}>.*", document, re.DOTALL)
    assert found is not None
    return found[1]


@BY_APP
def test_a_document_allows_its_own_script_and_style_and_nothing_else(name: str) -> None:
    document = build_document(name)
    assert document.count("<script") == document.count("<style") == 1
    hashes = [
        "sha256-" + base64.b64encode(hashlib.sha256(part(document, tag).encode()).digest()).decode()
        for tag in ("script", "style")
    ]
    assert (
        f"content=\"default-src 'none'; script-src '{hashes[0]}'; style-src '{hashes[1]}'; base-uri 'none'; form-action 'none'\""
    ) in document


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("outcome", tuple(Outcome)),
        ("row_outcome", get_args(RowOutcome)),
        ("job_status", OUTPUT_SCHEMA["properties"]["status"]["enum"]),
        ("approval_status", get_args(ApprovalStatus)),
        ("approval_now", get_args(ApprovalStatus)),
    ],
)
def test_every_value_of_a_closed_set_has_its_text(group: str, values: tuple[str, ...]) -> None:
    texts = app_texts("".join(path.read_text(encoding="utf-8") for path in PAGES.glob("*.js")))
    shown = [key.removeprefix(f"apps.{group}.") for key in texts["ja"] if key.startswith(f"apps.{group}.")]
    assert sorted(shown) == sorted(values)


@BY_APP
def test_a_document_loads_nothing_and_makes_no_markup_of_data(name: str) -> None:
    document = build_document(name)
    assert [each for each in (*SINKS, *LOADERS) if each in document] == []
    assert re.findall(r"""(?:src|href)=["'](?!#)""", document) == []


@BY_APP
def test_an_app_calls_the_status_of_jobs_and_no_other_tool(name: str) -> None:
    calls = re.findall(r'"tools/call", \{ name: (\S+),', build_document(name))
    assert calls == ['"job_status"']
    methods = set(re.findall(r'(?:request|notify)\("([^"]+)"', build_document(name)))
    assert not methods & {"ui/message", "ui/update-model-context", "ui/download-file"}


@BY_APP
def test_a_document_stays_small(name: str) -> None:
    assert len(build_document(name).encode()) <= MAX_BYTES[name]


@BY_APP
def test_a_document_has_its_texts_in_both_languages(name: str) -> None:
    script = "".join((PAGES / f"{each}.js").read_text(encoding="utf-8") for each in APPS[name])
    texts = app_texts(script)
    assert texts["en"].keys() == texts["ja"].keys() != set()
    assert set(re.findall(r'\bt\("([\w.]+)"', script)) <= texts["en"].keys()

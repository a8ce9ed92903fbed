"""The table of clients: how a trial is judged, that it ends, and that the page says what the results say."""

from __future__ import annotations

import json
import os
import select
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from scripts.clients import page, results
from scripts.clients.installing import Environment
from scripts.clients.outcome import Audited, Outcome, attended, audited, unattended
from scripts.clients.registry import CLIENTS
from scripts.clients.results import Row
from scripts.clients.stand_in import Anthropic, Api, Google, OpenAi, serving
from scripts.clients.task import LEVELS, READ, WRITE_SENSITIVE, Call
from scripts.clients.trial import prepare, run_limited, try_client
from scripts.clients.wording import Language

PROBES = Path(page.__file__).parent / "probes"
CODE = "Approval code: ABCD-2345."


def test_every_client_has_a_probe_and_a_row() -> None:
    keys = {client.key for client in CLIENTS}
    assert {file.stem for file in PROBES.glob("*.py")} == keys
    assert results.load().keys() == keys


@pytest.mark.parametrize("language", list(page.FILES))
def test_the_page_says_what_the_results_say(language: Language) -> None:
    assert page.FILES[language].read_text(encoding="utf-8") == page.page(results.load(), language)


def test_no_client_of_the_table_falls_short() -> None:
    assert {key: row.faults() for key, row in results.load().items() if row.faults()} == {}


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    row = Row("fastmcp", "2026-01-01", "1", 3, 3, None, {READ: Outcome.ANSWERED}, {WRITE_SENSITIVE: Outcome.ASKED})
    results.save({"fastmcp": row}, tmp_path / "rows.json")
    assert results.load(tmp_path / "rows.json") == {"fastmcp": row}


def record(event: str, call: str = "1", **rest: Any) -> Mapping[str, Any]:
    return {"event": event, "call": call, **rest}


BEGUN = record("begun", operation="a.B", proof="confirmation")


@pytest.mark.parametrize(
    ("records", "level", "answer", "outcome"),
    [
        ([record("refused", operation="a.B", refused="approval")], "critical", CODE, Outcome.APPROVAL),
        ([record("refused", operation="a.B", refused="approval")], "critical", "an error", Outcome.CODE_HIDDEN),
        (
            [record("refused", operation="a.B", refused="client_cancel")],
            "destructive",
            "Approval code: ABCD-2345.",
            Outcome.APPROVAL,
        ),
        ([record("refused", operation="a.B", refused="fast_no")], "destructive", "no", Outcome.CODE_HIDDEN),
        ([record("refused", operation="a.B", refused="declined")], "destructive", "no", Outcome.CLIENT_SAID_NO),
        ([record("refused", operation="a.B", refused="frozen")], "destructive", CODE, Outcome.FAILED),
        ([BEGUN, record("ended", applied="applied")], "destructive", CODE, Outcome.APPLIED),
        ([BEGUN, record("ended", "2", applied="applied")], "destructive", "no", Outcome.FAILED),
        ([record("refused", operation="a.C", refused="approval")], "critical", CODE, Outcome.NOT_SENT),
        ([], "critical", None, Outcome.NOT_TRIED),
        ([BEGUN, record("ended", applied="not_applied")], READ, '{"tenants": []}', Outcome.ANSWERED),
        ([BEGUN, record("ended", applied="not_applied")], READ, None, Outcome.FAILED),
    ],
)
def test_a_call_is_judged_by_the_audit_not_by_the_words_of_the_client(
    records: list[Mapping[str, Any]], level: str, answer: str | None, outcome: Outcome
) -> None:
    assert unattended(level, audited(records, "a.B"), answer) is outcome


@pytest.mark.parametrize("said", [Audited(seen=True, refused="declined"), Audited(seen=True, applied=True)])
def test_only_what_was_confirmed_and_done_counts_as_asked(said: Audited) -> None:
    assert attended(said) is Outcome.FAILED


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (Row("a", "", tools=209, total=210), "tools: 209 of 210"),
        (Row("a", "", tools=210, total=210, converted=0), "converted: 0 of 210"),
        (Row("a", "", alone={"critical": Outcome.APPLIED}), "critical: applied"),
        (Row("a", "", with_person={"destructive": Outcome.FAILED}), "destructive with a person: failed"),
    ],
)
def test_a_client_below_the_requirements_is_a_fault(row: Row, fault: str) -> None:
    assert row.faults() == [fault]


@pytest.mark.exhaustive  # ten seconds: a client and a server as processes, as `make clients` has for each client
@pytest.mark.slow
async def test_a_trial_sees_the_codes_and_the_confirmations(tmp_path: Path, catalogue: Catalogue) -> None:
    server = Path(sys.executable).with_name("saasus-mcp")
    prepared = await prepare(str(server), catalogue, tmp_path)
    environment = Environment(Path(sys.executable), None, "1")
    tried = try_client("python_sdk", environment, prepared, tmp_path / "trial", os.environ["PATH"])
    assert tried.found.tools == tried.total
    assert [tried.alone[level] for level in LEVELS] == [Outcome.ANSWERED, *[Outcome.APPROVAL] * 3]
    assert set(tried.with_person.values()) == {Outcome.ASKED}


@pytest.mark.slow
def test_a_client_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as output:
        assert not run_limited(["/bin/sh", "-c", "sleep 600 & wait"], {"PATH": os.defpath}, tmp_path, output, 1)
    with os.fdopen(reading, "rb", buffering=0) as heard:
        assert select.select([heard], [], [], 10)[0], "something still holds the output open"
        assert heard.read(1) == b""


def anthropic(results: list[str]) -> Mapping[str, Any]:
    blocks = [{"type": "tool_result", "content": text} for text in results]
    return {"tools": [{"name": "mcp__x__a"}, {"name": "Bash"}], "messages": [{"role": "user", "content": blocks}]}


def openai(results: list[str]) -> Mapping[str, Any]:
    tools = [{"type": "namespace", "name": "mcp__x", "tools": [{"name": "a"}]}, {"type": "web_search"}]
    return {"tools": tools, "input": [{"type": "function_call_output", "output": text} for text in results]}


def google(results: list[str]) -> Mapping[str, Any]:
    parts = [{"functionResponse": {"name": "mcp__x__a", "response": text}} for text in results]
    return {"tools": [{"functionDeclarations": [{"name": "mcp__x__a"}]}], "contents": [{"parts": parts}]}


@pytest.mark.parametrize(
    ("api", "body"), [(Anthropic(), anthropic), (OpenAi(), openai), (Google(), google)], ids=["a", "o", "g"]
)
def test_the_stand_in_makes_one_call_a_turn_and_then_ends(api: Api, body: Any) -> None:
    calls = [Call("a", {"number": number}) for number in (71, 72)]
    with serving(api, calls, "mcp__x") as (address, heard):

        def turn(*results: str) -> str:
            data = json.dumps(body(list(results))).encode()
            request = urllib.request.Request(f"{address}/v1/x:stream", data)  # noqa: S310 - the loopback
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - the loopback
                return str(answer.read().decode())

        assert "71" in turn()
        assert "72" in turn("first")
        assert "Done." in turn("first", "second")
        assert heard.tools == {api.tools(body([]))[0].name}
        assert [text.strip('"') for text in heard.results] == ["first", "second"]

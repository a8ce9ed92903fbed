"""The content of a line of standard input: messages, or faults under the id of the sender."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saasus_mcp.server.stdio.jsonrpc_envelope import MAX_TOKENS, scan_envelopes
from saasus_mcp.server.stdio.jsonrpc_parser import InvalidMessage, parse_line
from saasus_mcp.server.stdio.line_splitter import EDGE_BYTES, MAX_LINE_BYTES, Line, LineSplitter, OversizedLine
from tests.support.timing import cpu_seconds

STEADY = settings(deadline=None, derandomize=True, database=None)
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
IDS = st.integers(-(2**60), 2**60) | st.text(st.characters(codec="utf-8"))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
MEMBERS = {
    "jsonrpc": st.just("2.0") | VALUES,
    "id": IDS | VALUES,
    "method": st.just("ping") | VALUES,
    "params": VALUES,
    "result": VALUES,
    "error": VALUES,
}


def fault(line: Line | str, revision: str | None = None) -> InvalidMessage:
    """Return the only fault of a line."""
    [found] = parse_line(line.encode("utf-8") if isinstance(line, str) else line, revision)
    assert isinstance(found, InvalidMessage)
    return found


@pytest.mark.parametrize(
    "message",
    [
        PING,
        {"jsonrpc": "2.0", "id": "", "method": "ping", "params": {}},
        {"jsonrpc": "2.0", "id": 10**30, "method": "tools/list", "params": None},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "no", "data": [1]}},
    ],
)
@pytest.mark.parametrize("around", ["{}", "\ufeff{}", "  {} \r"])
def test_a_message_is_taken_as_it_is(message: dict[str, Any], around: str) -> None:
    assert parse_line(around.format(json.dumps(message)).encode(), None) == [message]


def test_a_whole_number_is_an_integer_however_it_is_written() -> None:
    [found] = parse_line(b'{"jsonrpc":"2.0","id":1.0,"method":"ping"}', None)
    assert isinstance(found, dict)
    assert repr(found["id"]) == "1"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (r'{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":[{"b":"\ud83d"}]}}', -32602, "params.a.0.b: The text contains a lone"),
        (r'{"jsonrpc":"2.0","id":7,"method":"m","params":{"\udc00":1}}', -32602, "params.\ufffd: The text contains a lone surrogate"),
        (r'{"jsonrpc":"2.0","id":7,"method":"\ude00\ud83d"}', -32600, "method: The text contains a lone surrogate"),
        ('{"jsonrpc":"2.0","id":7,"method":"m","params":' + '{"a":' * 2000 + "1" + "}" * 2001, -32600, "64 levels"),
        ('{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":' + "9" * 5000 + "}}", -32700, "too many digits"),
        ('{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":NaN}}', -32700, "NaN or Infinity"),
        ('{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":-Infinity}}', -32700, "NaN or Infinity"),
        ('{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":1,"a":2}}', -32600, "a: An object has this member twice"),
        ('{"id":3,"jsonrpc":"2.0","id":7,"method":"m"}', -32600, "id: An object has this member twice"),
        ('{"jsonrpc":"2.0","id":7,"method":"m",}', -32700, "not JSON"),
        ('{"jsonrpc":"2.0","id":7,"method":"m"', -32700, "not JSON"),
        ('{"jsonrpc":"2.0","method":"m","params":{"id":3,"a":"\\"id\\":4}"}, "i\\u0064" : 7 !', -32700, "not JSON"),
        ('{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":"\0"}}', -32600, "NUL byte"),
        ('{"jsonrpc":"2.0","id":7,"method":"m","params":[1]}', -32602, "`params` must be an object"),
        ('{"jsonrpc":"2.0","id":7,"method":"m","params":"{}"}', -32602, "`params` must be an object"),
        ('{"jsonrpc":"2.0","id":7,"method":5}', -32600, "`method` must be a string"),
        ('{"jsonrpc":"2.0","id":7}', -32600, "`method` must be a string"),
        ('{"jsonrpc":2.0,"id":7,"method":"m"}', -32600, '`jsonrpc` must be "2.0"'),
        ('{"id":7,"method":"m"}', -32600, '`jsonrpc` must be "2.0"'),
        ('{"jsonrpc":"2.0","id":7,"method":"m","result":{}}', -32600, "no `result`"),
    ],
)  # fmt: skip
def test_a_fault_names_what_is_wrong_under_the_id_that_waits(line: str, code: int, said: str) -> None:
    found = fault(line)
    assert (found.envelope.id, found.code, found.envelope.is_response) == (7, code, False)
    assert said in found.message


def test_bytes_that_are_not_utf_8_are_refused_by_their_place() -> None:
    found = fault('{"jsonrpc":"2.0","id":7,"method":"m","params":{"name":"管理"}}'.encode("cp932"))
    assert (found.envelope.id, found.message[:44]) == (7, "params.name: The text contains bytes that ar")
    assert "not JSON in UTF-8" in fault('{"jsonrpc":"2.0","id":7,"name":管理}'.encode("cp932")).reason


@pytest.mark.parametrize("id", ["null", "true", "[]", '{"a":1}', "1e999"])
def test_an_id_of_no_type_that_an_id_has_is_never_taken_for_a_notification(id: str) -> None:
    found = fault(f'{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"x"}}}}')
    assert (found.envelope.has_id, found.envelope.id) == (True, None)
    assert "`id` must be a string or an integer" in found.reason


def test_a_fraction_is_no_id_but_its_answer_repeats_it() -> None:
    assert fault('{"jsonrpc":"2.0","id":1.5,"method":"ping"}').envelope.id == 1.5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"jsonrpc":"2.0","id":7,"result":"yes"}', "`result` must be an object"),
        ('{"jsonrpc":"2.0","id":7,"result":null}', "`result` must be an object"),
        ('{"jsonrpc":"2.0","id":7,"error":"no"}', "`error` must be an object with an integer `code`"),
        ('{"jsonrpc":"2.0","id":7,"error":{"code":"1","message":"no"}}', "`error` must be an object"),
        ('{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":""}}', "either `result` or `error`"),
        ('{"id":7,"result":{}}', '`jsonrpc` must be "2.0"'),
        ('{"jsonrpc":"2.0","id":7,"result":{"action":"accept"', "not JSON"),
        (r'{"jsonrpc":"2.0","id":7,"result":{"action":"\ud83d"}}', "lone surrogate"),
    ],
)
def test_a_response_that_cannot_be_read_is_known_as_one(line: str, said: str) -> None:
    found = fault(line)
    assert (found.envelope.id, found.envelope.is_response) == (7, True)
    assert said in found.reason


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "empty"),
        (" \r", "empty"),
        ("nonsense", "not JSON"),
        ("Content-Length: 52\r", "header"),
        ('"text"', "not a JSON object"),
        ("17", "not a JSON object"),
        ("[]", "batch is empty"),
        ('{"jsonrpc":"2.0","method":"notifications/initialized","params":[]}', "`params` must be an object"),
        ('{"params":{"id":1}', "not JSON"),
    ],
)
def test_a_message_without_an_id_is_one_fault_without_an_id(line: str, said: str) -> None:
    found = fault(line)
    assert not found.envelope.has_id
    assert said in found.reason


def test_why_repeats_nothing_that_was_sent() -> None:
    for line in (
        rb'{"id":"sesame","method":"sesame","params":{"sesame":"\ud800"}}',
        b'{"sesame":1,"sesame":2}',
        b"sesame",
    ):
        assert "sesame" not in fault(line).reason


BATCH = json.dumps([PING, {**PING, "id": "b", "params": 1}, {**PING, "id": 3, "method": "initialize"}, 4]).encode()


def test_each_message_of_a_batch_is_taken_by_the_revision_that_has_batches() -> None:
    ping, wrong, initialize, number = parse_line(BATCH, "2025-03-26")
    assert ping == PING
    assert isinstance(wrong, InvalidMessage)
    assert isinstance(initialize, InvalidMessage)
    assert isinstance(number, InvalidMessage)
    assert (wrong.envelope.id, wrong.code) == ("b", -32602)
    assert (initialize.envelope.id, "must not be part of a batch" in initialize.reason) == (3, True)
    assert not number.envelope.has_id


@pytest.mark.parametrize("revision", [None, "2024-11-05", "2025-06-18", "2025-11-25", "2026-07-28"])
def test_a_batch_is_refused_id_by_id_by_all_other_revisions(revision: str | None) -> None:
    found = [each for each in parse_line(BATCH, revision) if isinstance(each, InvalidMessage)]
    assert [(each.envelope.id, each.code) for each in found] == [(1, -32600), ("b", -32600), (3, -32600)]
    assert all("its own line" in each.reason for each in found)
    silent = json.dumps([{"jsonrpc": "2.0", "method": "x"}] * 3).encode()
    assert len(parse_line(silent, revision)) == 1, "one fault, for there is nobody to answer"


def test_all_ids_of_a_broken_batch_and_of_messages_in_one_line_are_found() -> None:
    for line in (BATCH[:-1], BATCH[1:-1].replace(b"}, {", b"} {")):
        assert [each.id for each in scan_envelopes(line) if each.has_id] == [1, "b", 3]


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":7,"method":"' + b"x" * MAX_LINE_BYTES + b'"}',
        b'{"method":"' + b"x" * MAX_LINE_BYTES + b'","jsonrpc":"2.0","id":7}\r',
    ],
    ids=["first", "last"],
)
def test_the_id_of_a_line_that_is_too_long_is_found_at_either_end(line: bytes) -> None:
    lines = LineSplitter()
    for at in range(0, len(line), 2**20):
        lines.feed(line[at : at + 2**20])
    lines.feed(b"\n")
    [long] = lines.ready
    assert isinstance(long, OversizedLine)
    assert len(long.head) == len(long.tail) == EDGE_BYTES
    assert (fault(long).envelope.id, "16 MiB" in fault(long).reason) == (7, True)


def test_the_id_behind_more_than_is_looked_at_is_found_only_where_it_ends_the_line() -> None:
    many = '{"method":"m","params":{"a":[' + '"x",' * (2 * MAX_TOKENS) + '{"id":3}]},"jsonrpc":"2.0",'
    assert fault(many + '"id":"r-7"}').envelope.id == "r-7"
    unknown = fault(many + '"id":7,"x":1}').envelope
    assert (unknown.has_id, unknown.id) == (True, None)


@STEADY
@given(st.lists(st.binary(max_size=200)), st.integers(1, 50))
def test_lines_are_the_same_however_the_stream_is_cut(parts: list[bytes], size: int) -> None:
    stream, lines = b"\n".join(parts), LineSplitter()
    for at in range(0, len(stream), size):
        lines.feed(stream[at : at + size])
    lines.feed(b"")
    expected = stream.split(b"\n")
    assert list(lines.ready) == (expected if expected[-1] else expected[:-1])


@STEADY
@given(
    st.binary(max_size=300) | VALUES.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([None, "2025-03-26"]),
)
@example(b"\xff" + b'{"id":1', None)
@example(b'{"id":"', None)
@example(b'{"id":"\\ud800"', None)
@example(b"[{]}", None)
@example(b'"id":1}', None)
def test_of_any_bytes_something_is_said(line: bytes, revision: str | None) -> None:
    assert parse_line(line, revision)


@pytest.mark.slow
@STEADY
@given(st.fixed_dictionaries({}, optional=MEMBERS), st.data())
def test_the_id_that_a_lenient_parser_finds_is_found_and_no_other(message: dict[str, Any], data: st.DataObject) -> None:
    """Also where the line is broken behind the id, or before the message."""
    text = json.dumps(message, ensure_ascii=data.draw(st.booleans()))
    line = data.draw(
        st.sampled_from([text, text + "x", text[:-1] + ',"x":NaN}' if len(message) else text, "\ufeff" + text])
    )
    sent = json.loads(text).get("id")
    usable = (isinstance(sent, str | int) and not isinstance(sent, bool)) or (
        isinstance(sent, float) and abs(sent) != float("inf") and sent == sent  # noqa: PLR0124 - NaN is not itself
    )
    for found in parse_line(line.encode("utf-8", "surrogatepass"), None):
        if isinstance(found, InvalidMessage):
            assert found.envelope.has_id == ("id" in message) or not message
            if isinstance(sent, str) and "\ud800" <= max(sent, default="") <= "\udfff":
                continue  # as bytes it is no text at all
            assert found.envelope.id == (sent if usable else None)
        else:
            assert found == message


@pytest.mark.slow
def test_the_time_for_a_line_that_is_no_json_grows_with_its_length() -> None:
    for part in (b'"', b'\\"', b"[", b"{", b'"id":', b'"a" ', b'{"id":1,', b"[{}],"):
        short, long = (partial(parse_line, b'{"a":' + part * (size // len(part)), None) for size in (2**18, 2**20))
        most = 10 * cpu_seconds(short, runs=2) + 0.05
        assert cpu_seconds(long, runs=2, enough=most) < most, part

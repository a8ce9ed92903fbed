"""Any text in a path is one segment or refused, any arguments give a request or a refusal, and signatures are as documented."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote, unquote

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.catalog import Operation
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.saasus.arguments import check_arguments
from saasus_mcp.saasus.request import build_request
from saasus_mcp.saasus.signature import Credentials, place_of, sign_request
from tests.support.arguments import complete_arguments
from tests.support.strategies import CATALOGUE, PATHS, any_json, json_keys, text_values

HOST = "https://api.saasus.io"


@given(st.sampled_from(PATHS), text_values)
def test_any_text_in_a_path_is_one_segment_or_refused(place: tuple[str, str], value: str) -> None:
    operation, name = CATALOGUE.find(place[0]), place[1]
    blamed = name
    try:
        request = build_request(operation, check_arguments(operation, {**complete_arguments(operation), name: value}))
    except InvalidArguments as refusal:
        request, blamed = None, refusal.field
    assert blamed == name
    if request is None:
        return
    segments = httpx2.URL(HOST + request.target).raw_path.decode("ascii").split("?")[0].split("/")
    template = operation.path.split("/")
    assert len(segments) == len(template)
    assert unquote(segments[template.index("{" + name + "}")], errors="strict") == value
    for own, sent in zip(template, segments, strict=True):
        assert own == sent or own.startswith("{")


@pytest.mark.slow
@given(json_keys, any_json | st.dictionaries(st.sampled_from(["tenant_id", "user_id", "name", "type"]), any_json))
def test_any_json_as_arguments_is_checked_or_refused_and_never_more(key: str, raw: Any) -> None:
    _built_or_refused(CATALOGUE.find(key), raw)


@pytest.mark.slow
@given(json_keys, st.data())
def test_any_json_in_any_field_is_checked_or_refused_and_never_more(key: str, data: st.DataObject) -> None:
    operation = CATALOGUE.find(key)
    fields = list(operation.input_schema.get("properties", {})) or ["none"]
    changed = {data.draw(st.sampled_from(fields)): data.draw(any_json)}
    _built_or_refused(operation, {**complete_arguments(operation), **changed})


def _built_or_refused(operation: Operation, raw: Any) -> None:
    try:
        request = build_request(operation, check_arguments(operation, raw))
    except InvalidArguments as refusal:
        str(refusal).encode()
        return
    request.target.encode("ascii")
    assert len(request.digest()) == 64
    if request.body is not None:
        assert isinstance(json.loads(request.body.decode()), dict)


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    st.lists(st.text(max_size=30), min_size=1, max_size=4),
    st.binary(max_size=200),
    st.sampled_from(["https://api.saasus.io", "https://api.example:8443", "http://127.0.0.1:9000"]),
    st.integers(min_value=0, max_value=9999_12_31_23_59),
)
def test_the_signature_is_an_hmac_over_exactly_what_is_sent(
    method: str, parts: list[str], body: bytes, host: str, minute: int
) -> None:
    path = "/v1/" + "/".join("x" + quote(part, safe="") for part in parts) + "?q=" + quote(parts[0], safe="")
    timestamp = f"{minute:012d}"
    message = f"{timestamp}key{method}{host.split('//')[1]}{path}".encode() + body
    wanted = hmac.new(b"hush", message, hashlib.sha256).hexdigest()
    header = sign_request(
        Credentials("id", "key", "hush"), timestamp, method=method, place=place_of(httpx2.URL(host + path)), body=body
    )
    assert header == f"SAASUSSIGV1 Sig={wanted}, SaaSID=id, APIKey=key"


@given(json_keys, json_keys)
def test_two_requests_have_one_digest_only_where_they_are_one_request(one: str, other: str) -> None:
    mine, theirs = (
        build_request(operation, check_arguments(operation, complete_arguments(operation)))
        for operation in map(CATALOGUE.find, (one, other))
    )
    assert (mine.digest() == theirs.digest()) == (one == other)

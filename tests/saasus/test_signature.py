"""SAASUSSIGV1: test vectors, and a new signature for each attempt."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx2
import pytest

from saasus_mcp.saasus.signature import Credentials, format_timestamp, now, place_of, sign_request

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("signature_vectors.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_known_answer(vector: dict[str, Any]) -> None:
    body = (vector["body_utf8"] or "").encode()
    assert hashlib.sha256(body).hexdigest() == vector["body_sha256"]
    credentials = Credentials(vector["saas_id"], vector["api_key"], vector["secret_key"])
    given = sign_request(
        credentials, vector["timestamp"], method=vector["method"], place=place_of(httpx2.URL(vector["url"])), body=body
    )
    assert given == vector["authorization"]


def test_there_are_seven_vectors_and_each_has_its_own_answer() -> None:
    assert len({vector["signature_hex"] for vector in VECTORS}) == 7


@pytest.mark.parametrize("changed", ["timestamp", "api_key", "method", "url", "body_utf8", "secret_key"])
def test_nothing_that_is_signed_can_change_without_the_signature(changed: str) -> None:
    vector = dict(VECTORS[3])
    vector[changed] = {"method": "PUT", "url": vector["url"] + "?x=1", "timestamp": "202601020305"}.get(
        changed, vector[changed] + "x"
    )
    credentials = Credentials(vector["saas_id"], vector["api_key"], vector["secret_key"])
    body = vector["body_utf8"].encode()
    given = sign_request(
        credentials, vector["timestamp"], method=vector["method"], place=place_of(httpx2.URL(vector["url"])), body=body
    )
    assert vector["signature_hex"] not in given


def test_the_timestamp_is_utc_wherever_the_clock_stands() -> None:
    at = datetime(2026, 1, 1, 8, 30, 59, tzinfo=timezone(timedelta(hours=9)))
    assert format_timestamp(at) == "202512312330"


def test_the_clock_of_production_knows_its_zone() -> None:
    assert now().utcoffset() == timedelta(0)


def test_no_key_is_in_the_repr_of_credentials() -> None:
    shown = repr(Credentials("the-saas", "the-key", "the-secret"))
    assert "the-saas" in shown
    assert "the-key" not in shown
    assert "the-secret" not in shown

"""The early responses: byte for byte those of the SDK, and none that the SDK would refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mcp.types import JSONRPCRequest, jsonrpc_message_adapter
from mcp_types import methods
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from saasus_mcp.cli import composition
from saasus_mcp.cli.options import SurfaceOptions
from saasus_mcp.cli.policy_in_force import preset_name
from saasus_mcp.cli.serve import serve_stdio
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.server.apps.extension import EXTENSION_ID
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.stdio.early import precomputed
from saasus_mcp.server.stdio.early.early_responses import META_KEY_PREFIX, STATELESS_PROTOCOL, EarlyResponder
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.settings.environment import Mode, Settings, read_settings
from scripts.ready import ENVELOPE, INITIALIZED, SHOWS_APPS, envelope, initialize, made, request, said

KINDS: tuple[SurfaceKind, ...] = get_args(SurfaceKind)
LANGUAGES: tuple[Language, ...] = get_args(Language)
TOOLSETS = (frozenset[str](), frozenset({"logs", "tenants"}))
PLACE = Destination("default", "saas")


@cache
def _known(place: Destination, mode: Mode, kind: SurfaceKind) -> precomputed.PrecomputedResponses:
    known = precomputed.load_precomputed(place, mode, kind=kind, toolsets=frozenset(), language="en")
    assert known is not None
    return known


def early_responder(place: Destination = PLACE, mode: Mode = "guarded", kind: SurfaceKind = "full") -> EarlyResponder:
    return EarlyResponder(_known(place, mode, kind))


def conversation(version: str, capabilities: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the first messages of a client of this version."""
    if version in MODERN_PROTOCOL_VERSIONS:
        return [request(method, envelope(capabilities or {})) for method in ("server/discover", "tools/list")]
    return [initialize(version, capabilities), INITIALIZED, request("ping", {}), request("tools/list", {})]


async def compare_with_sdk(
    pipeline: Pipeline,
    chosen: Settings,
    kind: SurfaceKind,
    toolsets: frozenset[str],
    version: str,
    narrowing: Narrowing = NO_NARROWING,
    capabilities: dict[str, Any] | None = None,
) -> None:
    """Compare the precomputed answers of one server with those of the SDK."""
    known = precomputed.load_precomputed(
        pipeline.destination,
        preset_name(chosen),
        kind=kind,
        toolsets=toolsets,
        language=chosen.lang,
        narrowing=narrowing,
    )
    assert known is not None
    before, messages = EarlyResponder(known), conversation(version, capabilities)
    answered = [before.respond(json.dumps(message).encode()) for message in messages]
    async with composition.open_job_runners(chosen, {"": pipeline}) as runners:
        wanted = await said(
            serve_stdio.build_stdio_server(pipeline, runners[""], chosen, SurfaceOptions(kind, toolsets, narrowing)),
            messages,
        )
    assert [each.decode() for each in answered if each] == [each + "\n" for each in wanted]


@pytest.fixture
async def behind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Settings, Pipeline]]:
    mode, language = request.param
    chosen = read_settings(
        saas_id='saas-1\\"%s\\u00e9</b>',
        sandbox=False,
        mode=mode,
        lang=language,
        state_dir=tmp_path,
        api_key="k",
        secret_key="s",
    )
    async with composition.open_pipeline(chosen) as pipeline:
        yield chosen, pipeline


@pytest.mark.parametrize(
    "behind", [(mode, lang) for mode in PRESETS for lang in LANGUAGES], indirect=True, ids="-".join
)
async def test_ready_answers_are_the_sdks_own_byte_for_byte(behind: tuple[Settings, Pipeline]) -> None:
    chosen, pipeline = behind
    for kind in KINDS:
        for toolsets in TOOLSETS:
            for version in (HANDSHAKE_PROTOCOL_VERSIONS[-1], *MODERN_PROTOCOL_VERSIONS):
                await compare_with_sdk(pipeline, chosen, kind, toolsets, version)


@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
async def test_ready_answers_are_the_sdks_own_in_every_version_of_the_protocol(version: str, tmp_path: Path) -> None:
    chosen = read_settings(sandbox=True, state_dir=tmp_path)
    async with composition.open_pipeline(chosen) as pipeline:
        await compare_with_sdk(pipeline, chosen, "full", frozenset(), version)


@pytest.mark.parametrize("kind", KINDS)
async def test_ready_answers_to_a_client_that_shows_apps_are_the_sdks_own(kind: SurfaceKind, tmp_path: Path) -> None:
    chosen = read_settings(sandbox=True, state_dir=tmp_path)
    async with composition.open_pipeline(chosen) as pipeline:
        for version in (*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS):
            await compare_with_sdk(pipeline, chosen, kind, TOOLSETS[0], version, capabilities=SHOWS_APPS)


@pytest.mark.parametrize("version", [HANDSHAKE_PROTOCOL_VERSIONS[-1], STATELESS_PROTOCOL])
def test_the_extension_is_named_to_clients_that_declare_it(version: str) -> None:
    for capabilities, named in (({}, None), (SHOWS_APPS, {EXTENSION_ID: {}})):
        answer = early_responder().respond(json.dumps(conversation(version, capabilities)[0]).encode())
        assert answer is not None
        assert json.loads(answer)["result"]["capabilities"].get("extensions") == named


NARROWINGS = (
    Narrowing(tools=frozenset({"auth_get_roles", "auth_delete_tenant", "job_export_users"})),
    Narrowing(tools=frozenset({"auth_create_role"}), exclude=frozenset({"time_now", "call_write"})),
    Narrowing(exclude=frozenset({"auth_search_tenant_users", "auth_get_saas_users", "auth_delete_tenant"})),
    Narrowing(exclude=frozenset({"job_control", "auth_get_tenants"}), read_only=True),
    Narrowing(toolsets=frozenset({"jobs", "logs"})),
    Narrowing(tools=frozenset()),
)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["guarded", "read-only"])
@pytest.mark.parametrize("kind", KINDS)
async def test_ready_answers_of_a_narrowed_server_are_the_sdks_own(
    mode: Mode, kind: SurfaceKind, tmp_path: Path
) -> None:
    chosen = read_settings(sandbox=True, state_dir=tmp_path, mode=mode)
    async with composition.open_pipeline(chosen) as pipeline:
        for narrowing in NARROWINGS:
            for toolsets in TOOLSETS:
                await compare_with_sdk(pipeline, chosen, kind, toolsets, STATELESS_PROTOCOL, narrowing)


@pytest.mark.slow
def test_the_ready_file_is_that_of_this_version() -> None:
    assert precomputed.PRECOMPUTED_FILE.read_text(encoding="utf-8") == made()


def test_answers_made_for_another_version_are_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mcp-2.99.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert precomputed.load_precomputed(PLACE, "guarded", kind="full", toolsets=frozenset(), language="en") is None


def test_a_patch_of_the_sdk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = metadata.version("mcp").split(".")
    (tmp_path / f"mcp-{'.'.join([*parts[:2], '999'])}.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert precomputed.load_precomputed(PLACE, "guarded", kind="full", toolsets=frozenset(), language="en") is not None


def test_no_slow_library_is_loaded_before_the_tools_are_listed() -> None:
    slow = ("anyio", "cryptography", "mcp", "pydantic", "pydantic_core", "sqlalchemy")
    needed = "import sys, saasus_mcp.cli.serve.serve_command, saasus_mcp.server.stdio.early.early_responses"
    program = f"{needed}; sys.exit(', '.join(name for name in {slow} if name in sys.modules))"
    loaded = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=False)
    assert loaded.stderr.strip() == ""


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
CAPABILITIES = ANYTHING | st.dictionaries(
    st.sampled_from(["roots", "sampling", "elicitation", "experimental", "extensions", "tasks", "tools"]),
    ANYTHING
    | st.dictionaries(st.sampled_from(["listChanged", "form", "url", "context", "tools"]), ANYTHING, max_size=2),
    max_size=3,
)
INFO = ANYTHING | st.fixed_dictionaries(
    {"name": ANYTHING, "version": st.just("1")},
    optional=dict.fromkeys(("title", "description", "websiteUrl", "icons", "more"), ANYTHING),
)
IDS = ANYTHING | st.integers(-9, 9) | st.text(max_size=9)


@pytest.mark.slow
@given(id=IDS, capabilities=CAPABILITIES, info=INFO)
@example(id=1, capabilities={"elicitation": {"form": {"applyDefaults": True}}, "roots": {"listChanged": True}}, info={"name": "a", "version": "1"})  # fmt: skip
@example(id="a", capabilities={"tools": True, "elicitation": {}}, info={"name": "a", "version": "1", "title": "A"})
@pytest.mark.parametrize("version", [*HANDSHAKE_PROTOCOL_VERSIONS, STATELESS_PROTOCOL])
def test_a_request_that_the_sdk_would_refuse_is_not_answered(
    version: str, id: Any, capabilities: Any, info: Any
) -> None:
    params = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": info}
    message = request("initialize", params)
    if version == STATELESS_PROTOCOL:
        meta = {
            META_KEY_PREFIX + "protocolVersion": STATELESS_PROTOCOL,
            META_KEY_PREFIX + "clientCapabilities": capabilities,
            META_KEY_PREFIX + "clientInfo": info,
        }
        message = request("server/discover", {"_meta": meta})
    message["id"] = id
    try:
        line = json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        line = json.dumps(message).encode()
    if early_responder().respond(line) is not None:
        read_back = jsonrpc_message_adapter.validate_json(line, by_name=False)
        assert isinstance(read_back, JSONRPCRequest)
        assert read_back.id == id
        methods.validate_client_request(message["method"], version, message["params"])


ORDINARY = request("initialize", initialize(HANDSHAKE_PROTOCOL_VERSIONS[-1])["params"])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b"[" * 100_000,
        json.dumps(ORDINARY | {"jsonrpc": "1.0"}).encode(),
        json.dumps(ORDINARY | {"id": None}).encode(),
        json.dumps(ORDINARY | {"id": True}).encode(),
        json.dumps(ORDINARY | {"id": "x" * 65}).encode(),
        json.dumps(ORDINARY | {"params": []}).encode(),
        json.dumps(ORDINARY | {"more": 1}).encode(),
        json.dumps(ORDINARY).encode("utf-16"),
        json.dumps(ORDINARY).encode()[:-1],
        json.dumps(request("initialize", ORDINARY["params"] | {"protocolVersion": "2025-01-01"})).encode(),
        json.dumps(request("initialize", ORDINARY["params"] | {"protocolVersion": STATELESS_PROTOCOL})).encode(),
        json.dumps(request("tools/list", ENVELOPE | {"cursor": "x"})).encode(),
        json.dumps(request("resources/list", ENVELOPE)).encode(),
    ],
)
def test_a_request_that_is_not_fully_understood_is_left_to_the_sdk(line: bytes) -> None:
    assert early_responder().respond(line) is None


def test_a_second_handshake_and_another_era_are_left_to_the_sdk() -> None:
    old = early_responder()
    assert old.respond(json.dumps(ORDINARY).encode())
    assert old.respond(json.dumps(ORDINARY | {"id": 2}).encode()) is None
    assert old.respond(json.dumps(request("server/discover", ENVELOPE)).encode()) is None
    new = early_responder()
    assert new.respond(json.dumps(request("tools/list", ENVELOPE)).encode())
    assert new.respond(json.dumps(ORDINARY).encode()) is None
    with pytest.raises((ValidationError, KeyError)):
        methods.validate_client_request("ping", STATELESS_PROTOCOL, ENVELOPE)
    assert new.respond(json.dumps(request("ping", ENVELOPE)).encode()) is None

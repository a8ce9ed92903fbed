"""A state that was written to a file is loaded as it was, without the secrets that callers gave."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from anyio.to_thread import run_sync

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.private_files import UnsafeFile
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.sandbox import CREDENTIALS, state_file
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.sandbox import Clock, SandboxCaller

GIVEN = "hunter2-hunter2"
HEADER = {"format": state_file.FORMAT, "version": state_file.VERSION}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def save(file: Path, sandbox: FaultySandbox, catalogue: Catalogue) -> None:
    state_file.save_state(file, sandbox.state, catalogue)


async def answers(catalogue: Catalogue, sandbox: FaultySandbox, clock: Clock) -> dict[str, Any]:
    """Return the answers of all reads without arguments."""
    reads = [one for one in catalogue if one.method == "GET" and not one.input_schema.get("required")]
    async with ApiClient(CREDENTIALS, transport=sandbox.transport(), clock=clock, timeout=5) as client:
        api = SandboxCaller(catalogue, sandbox, client)
        return {one.key: await api(one.key) for one in reads if not one.key.startswith("apilog.")}


async def test_changes_are_restored(catalogue: Catalogue, api: SandboxCaller, clock: Clock, file: Path) -> None:
    await api.read("auth.CreateRole", role_name="経理2", display_name="青")
    await api.read("auth.DeleteRole", role_name="auditor")
    tenant = (await api.read("auth.GetTenants"))["tenants"][0]["id"]
    before = await answers(catalogue, api.sandbox, clock)
    save(file, api.sandbox, catalogue)
    again = FaultySandbox(catalogue, clock=clock, state=state_file.load_state(file))
    assert await answers(catalogue, again, clock) == before
    assert len(before) > 30
    async with ApiClient(CREDENTIALS, transport=again.transport(), clock=clock, timeout=5) as client:
        other = SandboxCaller(catalogue, again, client)
        assert await other("auth.GetTenantUsers", tenant_id=tenant) == await api(
            "auth.GetTenantUsers", tenant_id=tenant
        )


async def test_ids_go_on_where_they_ended(catalogue: Catalogue, api: SandboxCaller, clock: Clock, file: Path) -> None:
    made = {"name": "A", "attributes": {}, "back_office_staff_email": "a@example.com"}
    first = (await api.read("auth.CreateTenant", **{**made, "name": "B"}))["id"]
    save(file, api.sandbox, catalogue)
    again = FaultySandbox(catalogue, clock=clock, state=state_file.load_state(file))
    async with ApiClient(CREDENTIALS, transport=again.transport(), clock=clock, timeout=5) as client:
        second = (await SandboxCaller(catalogue, again, client).read("auth.CreateTenant", **made))["id"]
    assert first != second


async def test_no_secret_that_a_caller_gave_is_written(catalogue: Catalogue, api: SandboxCaller, file: Path) -> None:
    """Over every operation that takes one, whatever it answers: the log holds each request."""
    for operation in (one for one in catalogue if one.secret_inputs):
        own = {path.partition(".")[0] for path in operation.secret_inputs}
        sent = own | set(operation.input_schema.get("required", ())) | {"email"}
        values = {
            name: value
            for name, value in given(operation.input_schema, operation.secret_inputs).items()
            if name in sent
        }
        await api(operation.key, **values)
    save(file, api.sandbox, catalogue)
    written = await run_sync(file.read_text, "utf-8")
    assert GIVEN not in written
    assert '"request_uri":"/v1/auth/' in written


def given(schema: dict[str, Any], secrets: tuple[str, ...], below: str = "") -> dict[str, Any]:
    """Arguments that fit, with the same text in the place of each secret."""
    return {name: _value(each, secrets, f"{below}{name}") for name, each in schema["properties"].items()}


def _value(schema: dict[str, Any], secrets: tuple[str, ...], path: str) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _value(schema["anyOf"][0], secrets, path)
    match schema.get("type"):
        case "object" if "properties" in schema:
            return given(schema, secrets, f"{path}.")
        case "object":
            return {"USERNAME": GIVEN}
        case "array":
            return [_value(schema["items"], secrets, path)]
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 1)
        case _:
            return GIVEN if path in secrets else "a@example.com"


def test_any_text_is_written_and_read(catalogue: Catalogue, sandbox: FaultySandbox, file: Path) -> None:
    """A client on a port can send what the server of the tools would refuse."""
    odd = {"role_name": "odd", "display_name": "\ud83d \x00 \\ud83d \u2028"}
    sandbox.state.put("roles", ("odd",), odd)
    save(file, sandbox, catalogue)
    loaded = state_file.load_state(file)
    assert loaded is not None
    assert loaded.find("roles", "odd") == odd


@pytest.mark.parametrize("target", ["/v1/auth/roles/%FF", "/%", "no address", "", 7])
def test_any_address_in_the_log_can_be_written(
    catalogue: Catalogue, sandbox: FaultySandbox, file: Path, target: Any
) -> None:
    sandbox.state.put("api_logs", ("x",), {"request_method": "GET", "request_uri": target})
    sandbox.state.put("api_logs", ("y",), {})
    save(file, sandbox, catalogue)
    loaded = state_file.load_state(file)
    assert loaded is not None
    assert loaded.get("api_logs", "x")["request_uri"] == ""


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on this system")
def test_the_file_is_its_owners_and_whole(catalogue: Catalogue, sandbox: FaultySandbox, file: Path) -> None:
    save(file, sandbox, catalogue)
    save(file, sandbox, catalogue)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_where_there_is_no_file_there_is_no_state(file: Path) -> None:
    assert state_file.load_state(file) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "not_json"),
        ("{", "not_json"),
        ("[" * 100_000, "not_json"),
        ('{"format": NaN}', "not_json"),
        ("\ufeff{}", "format"),
        ("[]", "format"),
        ("{}", "format"),
        (json.dumps({"made": 0, "tables": {}}), "format"),
        (json.dumps({**HEADER, "version": 2, "made": 0, "tables": {}}), "version"),
        (json.dumps({**HEADER, "version": "1", "made": 0, "tables": {}}), "version"),
        (json.dumps(HEADER), "tables"),
        *(
            (json.dumps({**HEADER, "made": made, "tables": tables}), "tables")
            for made, tables in [
                (0, []),
                (-1, {}),
                (True, {}),
                ("7", {}),
                (0, {"roles": {}}),
                (0, {"roles": None}),
                (0, {"roles": [[]]}),
                (0, {"roles": [["admin", {}]]}),
                (0, {"roles": [[[], {}]]}),
                (0, {"roles": [[[None], {}]]}),
                (0, {"roles": [[[True], {}]]}),
                (0, {"roles": [[[["a"]], {}]]}),
                (0, {"roles": [[["admin"], []]]}),
                (0, {"roles": [[["admin"], {}, 1]]}),
            ]
        ),
    ],
)
def test_a_file_that_holds_something_else_is_refused(content: str, why: str, file: Path) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(state_file.UnusableState) as refused:
        state_file.load_state(file)
    assert refused.value.why == why


def test_a_state_that_could_not_be_loaded_again_is_not_written(
    catalogue: Catalogue, sandbox: FaultySandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_file, "LARGEST", 1000)
    with pytest.raises(state_file.UnusableState, match="larger"):
        save(file, sandbox, catalogue)
    assert not file.exists()
    file.write_text(" " * 1001, encoding="utf-8")
    with pytest.raises(UnsafeFile, match="larger than 1000 bytes"):
        state_file.load_state(file)


def test_a_link_is_not_followed(catalogue: Catalogue, sandbox: FaultySandbox, file: Path) -> None:
    elsewhere = file.with_name("elsewhere.json")
    save(elsewhere, sandbox, catalogue)
    file.symlink_to(elsewhere)
    with pytest.raises(UnsafeFile):
        state_file.load_state(file)
    with pytest.raises(UnsafeFile):
        save(file, sandbox, catalogue)

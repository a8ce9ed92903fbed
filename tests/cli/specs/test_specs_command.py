"""`saasus-mcp specs` reports differences from the published definitions, apart from intended ones."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from functools import cache, partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from saasus_mcp.catalog import openapi_summary, spec_diff
from saasus_mcp.catalog.catalogue import FACTS
from saasus_mcp.cli.specs import specs_command
from tests.support.commands import run_command

SPECS = Path(__file__).resolve().parents[3] / "tool_specs"
MODULES = (
    "analysis",
    "apigateway",
    "apilog",
    "auth",
    "awsmarketplace",
    "billing",
    "communication",
    "integration",
    "pricing",
)
Document = dict[str, Any]


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    """Our own documents: published ones that agree with them in everything."""
    return {
        module: yaml.load((SPECS / f"{module}.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
        for module in MODULES
    }


@pytest.fixture(scope="module", autouse=True)
def _parsed_once() -> Iterator[None]:
    """Parse equal documents once: nothing changes them, and eight of nine are the same in every test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specs_command, "_parse", cache(specs_command._parse))
        yield


@pytest.fixture
def publish(tmp_path: Path, documents: dict[str, Document]) -> Callable[..., Path]:
    """Write the published definitions with a change to one of them."""

    def write(module: str = "", change: Callable[[Document], object] = lambda _: None) -> Path:
        folder = tmp_path / "published"
        folder.mkdir()
        for name, document in documents.items():
            said = copy.deepcopy(document) if name == module else document
            if name == module:
                change(said)
            (folder / f"{name}api.yml").write_text(json.dumps(said), encoding="utf-8")
        return folder

    return write


def told(folder: Path | str) -> list[dict[str, Any]]:
    ran = run_command("specs", "diff", "--against", str(folder), "--json")
    found: list[dict[str, Any]] = json.loads(ran.out)["differences"]
    assert ran.status == (1 if found else 0)
    assert run_command("specs", "check", "--against", str(folder)).status == ran.status
    return found


def one(found: list[dict[str, Any]], **expected: Any) -> None:
    assert [{name: each[name] for name in expected} for each in found] == [expected]


def test_definitions_that_agree_pass(publish: Callable[..., Path]) -> None:
    assert told(publish()) == []


def test_a_new_operation_is_reported_with_its_route(publish: Callable[..., Path]) -> None:
    def change(document: Document) -> None:
        document["paths"]["/tenants/{tenant_id}/archive"] = {"put": {"operationId": "ArchiveTenant", "responses": {}}}

    one(
        told(publish("auth", change)),
        operation="auth.ArchiveTenant",
        kind="new",
        theirs="PUT /v1/auth/tenants/{tenant_id}/archive",
    )


def test_a_removed_operation_is_reported(publish: Callable[..., Path]) -> None:
    found = told(publish("auth", lambda document: document["paths"]["/tenants/{tenant_id}"].pop("delete")))
    one(found, operation="auth.DeleteTenant", kind="removed", place="")


def test_a_new_module_is_reported(publish: Callable[..., Path]) -> None:
    folder = publish()
    document = {
        "servers": [{"url": "https://api.saasus.io/v1/new"}],
        "paths": {"/x": {"get": {"operationId": "X", "responses": {}}}},
    }
    (folder / "newapi.yml").write_text(json.dumps(document), encoding="utf-8")
    one(told(folder), operation="new.X", kind="new")


def test_a_status_a_parameter_and_a_requirement_are_reported(publish: Callable[..., Path]) -> None:
    def change(document: Document) -> None:
        operation = document["paths"]["/tenants/{tenant_id}"]["delete"]
        operation["responses"]["409"] = {"description": "Still has users."}
        operation.setdefault("parameters", []).append(
            {"name": "force", "in": "query", "required": True, "schema": {"type": "boolean"}}
        )

    found = told(publish("auth", change))
    assert [(each["kind"], each["place"], each["fact"]) for each in found] == [
        ("changed", "", "statuses"),
        ("new", "query force", ""),
    ]


def test_a_value_that_an_enum_gains_is_reported(publish: Callable[..., Path]) -> None:
    folder = publish("auth", lambda document: schema(document, "ProrationBehavior")["enum"].append("later"))
    assert {(each["fact"], "later" in each["theirs"]) for each in told(folder)} == {("enum", True)}
    assert "enum +later" in run_command("specs", "diff", "--against", str(folder)).out


def test_a_changed_type_and_a_removed_field_are_reported(publish: Callable[..., Path]) -> None:
    def change(document: Document) -> None:
        properties = schema(document, "UpdateTenantPlanParam")["properties"]
        properties["using_next_plan_from"]["type"] = "string"
        del properties["delete_usage"]

    found = told(publish("auth", change))
    assert {(each["kind"], each["place"], each["fact"]) for each in found} == {
        ("removed", "body.delete_usage", ""),
        ("changed", "body.using_next_plan_from", "type"),
        ("changed", "body.using_next_plan_from", "example_of_another_type"),
    }


def schema(document: Document, name: str) -> Any:
    return document["components"]["schemas"][name]


def test_only_repaired_faults_are_marked_as_repaired(publish: Callable[..., Path]) -> None:
    def unrepair(document: Document) -> None:
        for item in document["paths"].values():
            for operation in item.values():
                body = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
                if "x-repair" in body:
                    del body["required"]

    folder = publish("auth", unrepair)
    assert told(folder) == []
    assert "published as optional" in run_command("specs", "diff", "--against", str(folder), "--repairs").out


def test_a_repair_hides_no_other_change_at_its_place() -> None:
    ours = {"x.Y": {**OPERATION, "fields": {"body": {"type": "object", "required": True}}, "repairs": {"body": "why"}}}
    theirs = {"x.Y": {**OPERATION, "fields": {"body": {"type": "array"}}, "repairs": {}}}
    found = {each.fact: each.repair for each in spec_diff.compare_specs(ours, theirs)}
    assert found == {"required": "why", "type": ""}


OPERATION: dict[str, Any] = {
    "method": "GET",
    "path": "/v1/x",
    "security": [],
    "statuses": ["200"],
    "fields": {},
    "repairs": {},
}


def test_every_repair_that_is_noted_is_of_a_kind_that_is_recognised() -> None:
    ours = json.loads(FACTS.read_bytes())
    noted = [note for row in ours.values() for note in row["repairs"].values()]
    assert len(noted) > 300
    assert all(len(note) > 20 for note in noted)


@pytest.mark.parametrize(
    ("document", "same"),
    [
        ({"type": "string", "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "enum": ["a"]}, {"type": "string", "const": "a"}),
        ({"allOf": [{"$ref": "#/components/schemas/A"}, {"properties": {"b": {"type": "string"}}}]}, {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}),
        ({"$ref": "#/components/schemas/A"}, {"type": "object", "properties": {"a": {"type": "string"}}}),
    ],
)  # fmt: skip
def test_the_same_said_in_another_way_is_the_same(document: Document, same: Document) -> None:
    assert openapi_summary.summarize_document("x", holding(document)) == openapi_summary.summarize_document(
        "x", holding(same)
    )


def holding(schema: Document) -> Document:
    answer = {"200": {"content": {"application/json": {"schema": schema}}}}
    return {
        "servers": [{"url": "https://api.saasus.io/v1/x"}],
        "paths": {"/a": {"get": {"operationId": "A", "responses": answer}}},
        "components": {
            "schemas": {
                "A": {"type": "object", "properties": {"a": {"type": "string"}}},
                "Endless": {"properties": {"again": {"$ref": "#/components/schemas/Endless"}}},
                "Circle": {"$ref": "#/components/schemas/Circle"},
                "Wide": {"properties": {str(at): {"$ref": "#/components/schemas/Wide"} for at in range(9)}},
            }
        },
    }


@pytest.mark.parametrize("name", ["Endless", "Circle", "Wide"])
def test_a_definition_without_end_is_refused(name: str) -> None:
    with pytest.raises(openapi_summary.InvalidOpenApi):
        openapi_summary.summarize_document("x", holding({"$ref": f"#/components/schemas/{name}"}))


@pytest.mark.parametrize("text", ["", "[]", "a: [", "paths: 3", "servers: []\npaths: {}", "&a [*a]", "\x00"])
def test_an_invalid_definition_ends_with_another_status(text: str, tmp_path: Path) -> None:
    (tmp_path / "authapi.yml").write_text(text, encoding="utf-8")
    ran = run_command("specs", "check", "--against", str(tmp_path))
    assert ran.status == 2
    assert "auth" in ran.err


@pytest.mark.parametrize("source", ["/no/such/folder", "http://definitions.example.com/api", "ftp://x/y"])
def test_a_source_that_cannot_be_read_ends_with_another_status(source: str) -> None:
    assert run_command("specs", "check", "--against", source).status == 2


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Serve a folder on this computer."""
    running: list[tuple[HTTPServer, threading.Thread]] = []

    def start(folder: Path) -> str:
        server = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_definitions_are_read_from_an_address(publish: Callable[..., Path], serve: Callable[[Path], str]) -> None:
    folder = publish("auth", lambda document: document["paths"]["/tenants/{tenant_id}"].pop("delete"))
    one(told(serve(folder)), operation="auth.DeleteTenant", kind="removed")


def test_an_address_that_lacks_a_document_ends_with_another_status(
    publish: Callable[..., Path], serve: Callable[[Path], str]
) -> None:
    folder = publish()
    (folder / "authapi.yml").unlink()
    ran = run_command("specs", "check", "--against", serve(folder))
    assert (ran.status, "HTTP 404" in ran.err) == (2, True)

"""Texts name tools: no id of an operation of the API stands in anything that a model or a person reads."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from saasus_mcp.catalog import Language, Operation, load
from saasus_mcp.catalog.compile.naming import ToolNames
from saasus_mcp.catalog.jobs import load as jobs
from saasus_mcp.permissions.impact import Impact
from saasus_mcp.permissions.policy import PRESETS
from saasus_mcp.permissions.question.build import Asked, build
from saasus_mcp.permissions.question.dialog import dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.survey import Survey
from saasus_mcp.permissions.target import Sight
from saasus_mcp.server import prompts
from saasus_mcp.server.describing import brief, describe
from saasus_mcp.server.instructions import instructions
from saasus_mcp.server.tools import tool
from tests.calls import complete
from tests.support import ME, PLACE

LANGUAGES: tuple[Language, ...] = ("en", "ja")
IDS = re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(each.operation_id for each in load())})(?![A-Za-z0-9_])")
BY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


def found(text: Any) -> list[str]:
    return IDS.findall(text if isinstance(text, str) else json.dumps(text, ensure_ascii=False))


@BY_LANGUAGE
@pytest.mark.parametrize("operation", tuple(load()), ids=lambda operation: operation.tool)
def test_what_is_said_of_an_operation_names_tools(operation: Operation, language: Language) -> None:
    asked = build(Asked(operation, complete(operation), PLACE, ME.id, Survey(Sight("x"), Impact())))
    listed = tool(operation, language).model_dump(mode="json", exclude={"meta"})
    texts = {
        "the list": listed,
        "the search": brief(operation, language),
        "the description": describe(operation, ME, PRESETS["guarded"], "default", language),
        "the description for people": operation.description.get(language),
        "the question": dialog(asked, Reader.of(language)),
    }
    assert {name: found(text) for name, text in texts.items() if found(text)} == {}


@BY_LANGUAGE
def test_jobs_prompts_and_instructions_name_tools(language: Language) -> None:
    for job in jobs():
        assert found([job.title.get(language), job.description.get(language), job.terse, job.input_schema]) == []
    for prompt in prompts.listed(language):
        blanks = {argument.name: "x" for argument in prompt.arguments or ()}
        filled = prompts.filled(prompt.name, blanks, language)
        assert found(prompt.model_dump_json()) + found(filled.model_dump_json()) == []
    assert found(instructions(PLACE, PRESETS["guarded"], "compact")) == []


ROWS = [
    {"operation_id": "GetTenant", "module": "auth", "tool": "auth_get_tenant"},
    {"operation_id": "GetTenant", "module": "apigateway", "tool": "apigateway_get_tenant"},
    {"operation_id": "GetRoles", "module": "auth", "tool": "auth_get_roles"},
]


@pytest.mark.parametrize(
    ("text", "module", "expected"),
    [
        ("see GetTenant.", "auth", "see auth_get_tenant."),
        ("see GetTenant.", "apigateway", "see apigateway_get_tenant."),
        ("see auth GetTenant.", "apigateway", "see auth_get_tenant."),
        ("see apigateway.GetTenant.", "auth", "see apigateway_get_tenant."),
        ("see GetRoles.", "apigateway", "see auth_get_roles."),
        ("先に GetRoles(一覧)を見る", "auth", "先に auth_get_roles(一覧)を見る"),
        ("ロールはGetRolesで", "auth", "ロールはauth_get_rolesで"),
        ("GetTenants is another word, as is MyGetRoles", "auth", "GetTenants is another word, as is MyGetRoles"),
    ],
)
def test_an_operation_id_becomes_the_name_of_its_tool(text: str, module: str, expected: str) -> None:
    assert ToolNames(ROWS).text(text, module) == expected


def test_an_operation_id_that_may_mean_two_tools_stops_the_compiler() -> None:
    with pytest.raises(ValueError, match="name the module"):
        ToolNames(ROWS).text("see GetTenant", "billing")

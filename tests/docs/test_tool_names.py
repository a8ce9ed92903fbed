"""Texts name tools: no id of an operation of the API stands in anything that a model or a person reads."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from saasus_mcp.catalog import Operation, load_catalogue
from saasus_mcp.catalog.jobs import load_jobs as jobs
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.inspection.impact import Impact
from saasus_mcp.permissions.inspection.inspect import CallInspection
from saasus_mcp.permissions.inspection.target import ReadResult, TargetSnapshot
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.question.builder import build_question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.facts import QuestionInput
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.server.offers import prompts
from saasus_mcp.server.surface.instructions import server_instructions
from saasus_mcp.server.surface.tool_description import describe_operation, summarize_operation
from saasus_mcp.server.surface.tool_list import operation_tool
from scripts.catalogue.tool_names import ToolNameRewriter
from tests.support.arguments import complete_arguments
from tests.support.pipeline import PLACE, PRINCIPAL

LANGUAGES: tuple[Language, ...] = ("en", "ja")
IDS = re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(each.operation_id for each in load_catalogue())})(?![A-Za-z0-9_])")
BY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


def found(text: Any) -> list[str]:
    return IDS.findall(text if isinstance(text, str) else json.dumps(text, ensure_ascii=False))


async def read_nothing(_key: str, _args: object) -> ReadResult:
    return ReadResult(read_error="no_answer")


@BY_LANGUAGE
@pytest.mark.parametrize("operation", tuple(load_catalogue()), ids=lambda operation: operation.tool)
async def test_descriptions_of_operations_name_tools(operation: Operation, language: Language) -> None:
    inspection = CallInspection(TargetSnapshot("x"), Impact())
    asked = await build_question(
        QuestionInput(operation, complete_arguments(operation), PLACE, PRINCIPAL.id, inspection, 0), read_nothing
    )
    listed = operation_tool(operation, language).model_dump(mode="json", exclude={"meta"})
    texts = {
        "the list": listed,
        "the search": summarize_operation(operation, language),
        "the description": describe_operation(operation, PRINCIPAL, PRESETS["guarded"], "default", language=language),
        "the description for people": operation.description.text(language),
        "the question": render_dialog(asked, Reader.of(language)),
    }
    assert {name: found(text) for name, text in texts.items() if found(text)} == {}


@BY_LANGUAGE
def test_jobs_prompts_and_instructions_name_tools(language: Language) -> None:
    for job in jobs():
        assert found([job.title.text(language), job.description.text(language), job.terse, job.input_schema]) == []
    for prompt in prompts.list_prompts(language):
        blanks = {argument.name: "x" for argument in prompt.arguments or ()}
        filled = prompts.render_prompt(prompt.name, blanks, language)
        assert found(prompt.model_dump_json()) + found(filled.model_dump_json()) == []
    assert found(server_instructions(PLACE, PRESETS["guarded"], "compact")) == []


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
    assert ToolNameRewriter(ROWS).text(text, module) == expected


def test_an_operation_id_that_may_mean_two_tools_stops_the_compiler() -> None:
    with pytest.raises(ValueError, match="name the module"):
        ToolNameRewriter(ROWS).text("see GetTenant", "billing")

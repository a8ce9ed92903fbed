"""Prompts for common tasks, filled in with the arguments that a person typed."""

from __future__ import annotations

from collections.abc import Mapping

from mcp.types import GetPromptResult, PromptArgument, PromptMessage, TextContent
from mcp.types import Prompt as McpPrompt

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.permissions.inspection.target import clean_name

PROMPTS: Mapping[str, Mapping[str, bool]] = {
    "set_up_saas": {"domain": True, "notes": False},
    "onboard_tenant": {"company": True, "user": True, "plan": True, "tenant_attribute": False, "notes": False},
    "add_users": {"tenant": True, "users": True, "role": True, "environment": False, "attribute": False},
    "invite_user": {"tenant": True, "email": True, "role": True, "environment": False},
    "build_price_list": {"prices": True, "notes": False},
    "change_plan": {"tenant": True, "plan": True, "when": False, "notes": False},
    "report_usage": {"month": True, "tenant": False, "metering_unit": False},
    "offboard": {"who": True, "notes": False},
    "export_settings": {"notes": False},
    "help_desk": {"user": True, "problem": False},
}
"""By prompt, its arguments and whether they are required. The texts are in `tool_specs/messages/prompts.yaml`."""
MAX_ARGUMENT_LENGTH = 2_000


def list_prompts(language: Language) -> list[McpPrompt]:
    return [
        McpPrompt(
            name=name,
            title=one_of("prompts.title", name).text(language),
            description=one_of("prompts.description", name).text(language),
            arguments=[
                PromptArgument(name=argument, description=_describe(argument).text(language), required=required)
                for argument, required in arguments.items()
            ],
        )
        for name, arguments in PROMPTS.items()
    ]


def render_prompt(name: str, given: Mapping[str, str], language: Language) -> GetPromptResult:
    """Return a prompt with its arguments filled in. Each argument stands in quotation marks on one line.

    Raises:
        InvalidArguments: there is no such prompt, or the arguments do not fit it.
    """
    arguments = PROMPTS.get(name)
    if arguments is None:
        names = message("server.prompt_unknown_hint", names=tuple(PROMPTS))
        raise InvalidArguments(("name",), message("server.prompt_unknown"), names)
    _check_arguments(name, arguments, given)
    values = {
        argument: message("prompts.quoted", text=_one_line(typed))
        if (typed := given.get(argument, "").strip())
        else ""
        if argument == "notes"
        else message("prompts.not_given")
        for argument in arguments
    }
    text = one_of("prompts.body", name, **values).text(language).strip()
    description = one_of("prompts.description", name).text(language)
    content = PromptMessage(role="user", content=TextContent(text=text))
    return GetPromptResult(description=description, messages=[content])


def _check_arguments(prompt: str, arguments: Mapping[str, bool], given: Mapping[str, str]) -> None:
    for name, typed in given.items():
        if name not in arguments:
            raise InvalidArguments(
                (name[:80],),
                message("server.prompt_argument_unknown", prompt=prompt),
                message("server.prompt_argument_unknown_hint", names=tuple(arguments)),
            )
        if len(typed) > MAX_ARGUMENT_LENGTH:
            raise InvalidArguments((name,), message("server.prompt_argument_long", count=MAX_ARGUMENT_LENGTH))
    for name, required in arguments.items():
        if required and not given.get(name, "").strip():
            hint = message("server.prompt_argument_missing_hint", argument=_describe(name))
            raise InvalidArguments((name,), message("server.prompt_argument_missing"), hint)


def _describe(argument: str) -> Message:
    return one_of("prompts.argument", argument)


def _one_line(typed: str) -> str:
    """Return the text on one line, without a quotation mark that would end the quotation."""
    return " ".join(clean_name(part) for part in typed.split()).translate(str.maketrans("“”「」", '""『』'))

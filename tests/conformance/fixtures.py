"""The tools, resources and prompts that the conformance suite expects, with their names and texts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.types import (
    INVALID_PARAMS,
    AudioContent,
    BlobResourceContents,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    GetPromptRequestParams,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)

from saasus_mcp.server.elicitation import Context

Called = CallToolResult | InputRequiredResult
Run = Callable[[Context, CallToolRequestParams], Awaitable[Called]]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
IMAGE = ImageContent(data=PNG, mime_type="image/png")
STEP_SECONDS = 0.05


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


def tool_result(*content: ContentBlock | str, is_error: bool = False) -> CallToolResult:
    """Return the result of a tool."""
    blocks = [TextContent(text=each) if isinstance(each, str) else each for each in content]
    return CallToolResult(content=blocks, is_error=is_error)


ANSWERS: Mapping[str, CallToolResult] = {
    "test_simple_text": tool_result("This is a simple text response for testing."),
    "test_image_content": tool_result(IMAGE),
    "test_audio_content": tool_result(AudioContent(data=WAV, mime_type="audio/wav")),
    "test_embedded_resource": tool_result(
        embedded("test://embedded-resource", "This is an embedded resource content.")
    ),
    "test_multiple_content_types": tool_result(
        "Multiple content types test:",
        IMAGE,
        embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json"),
    ),
    "test_error_handling": tool_result("This tool intentionally returns an error for testing", is_error=True),
    "json_schema_2020_12_tool": tool_result("ok"),
    "test_custom_header": tool_result("ok"),
}
"""Tools that always give the same answer."""

RICH_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
SCHEMAS: Mapping[str, dict[str, Any]] = {
    "json_schema_2020_12_tool": RICH_SCHEMA,
    "test_custom_header": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
    "test_sampling": {"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]},
    "test_elicitation": {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
}
"""Of the tools that take arguments."""


async def progress(context: Context, _: CallToolRequestParams) -> CallToolResult:
    for done in (0, 50, 100):
        await context.session.report_progress(done, 100)
        await anyio.sleep(STEP_SECONDS)
    return tool_result("Tool execution completed.")


async def logging(context: Context, _: CallToolRequestParams) -> CallToolResult:
    for data in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        with warnings.catch_warnings(action="ignore", category=MCPDeprecationWarning):
            await context.session.send_log_message("info", data, related_request_id=context.request_id)
        await anyio.sleep(STEP_SECONDS)
    return tool_result("Tool execution completed.")


BUSY: Mapping[str, Run] = {
    "test_tool_with_progress": progress,
    "test_tool_with_logging": logging,
    "test_logging_tool": logging,
}
"""Tools that send notifications while they work."""


# -- resources -------------------------------------------------------------------------------------------------------

RESOURCES = [
    Resource(uri="test://static-text", name="static-text", description="A text.", mime_type="text/plain"),
    Resource(uri="test://static-binary", name="static-binary", description="An image.", mime_type="image/png"),
    Resource(uri="test://watched-resource", name="watched-resource", description="Changes.", mime_type="text/plain"),
]
TEMPLATES = [
    ResourceTemplate(
        uri_template="test://template/{id}/data", name="template", description="By id.", mime_type="application/json"
    )
]
PREFIX, SUFFIX = "test://template/", "/data"


def resource(uri: str) -> ReadResourceResult | None:
    """Return the resource at a URI, or None."""
    found: TextResourceContents | BlobResourceContents
    if uri == "test://static-text":
        text = "This is the content of the static text resource."
        found = TextResourceContents(uri=uri, mime_type="text/plain", text=text)
    elif uri == "test://static-binary":
        found = BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
    elif uri.startswith(PREFIX) and uri.endswith(SUFFIX):
        number = uri.removeprefix(PREFIX).removesuffix(SUFFIX)
        text = json.dumps({"id": number, "templateTest": True, "data": f"Data for ID: {number}"})
        found = TextResourceContents(uri=uri, mime_type="application/json", text=text)
    else:
        return None
    return ReadResourceResult(contents=[found], ttl_ms=0, cache_scope="private")


# -- prompts ---------------------------------------------------------------------------------------------------------


def _prompt(name: str, *arguments: str) -> Prompt:
    taken = [PromptArgument(name=each, description="An argument.", required=True) for each in arguments]
    return Prompt(name=name, description="For the conformance suite.", arguments=taken)


PROMPTS = [
    _prompt("test_simple_prompt"),
    _prompt("test_prompt_with_arguments", "arg1", "arg2"),
    _prompt("test_prompt_with_embedded_resource", "resourceUri"),
    _prompt("test_prompt_with_image"),
]


def prompt(params: GetPromptRequestParams) -> GetPromptResult:
    """Return the prompt of this name with its arguments."""
    given = params.arguments or {}
    declared = next(each for each in PROMPTS if each.name == params.name)
    missing = [each.name for each in declared.arguments or [] if each.name not in given]
    if missing:
        raise MCPError(INVALID_PARAMS, f"missing: {', '.join(missing)}")
    match params.name:
        case "test_simple_prompt":
            return prompt_result("This is a simple prompt for testing.")
        case "test_prompt_with_arguments":
            return prompt_result(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'")
        case "test_prompt_with_embedded_resource":
            content = embedded(given["resourceUri"], "Embedded resource content for testing.")
            return prompt_result(content, "Please process the embedded resource above.")
        case _:
            return prompt_result(IMAGE, "Please analyze the image above.")


def prompt_result(*content: ContentBlock | str) -> GetPromptResult:
    """Return a prompt with these messages of the user."""
    blocks = [TextContent(text=each) if isinstance(each, str) else each for each in content]
    return GetPromptResult(messages=[PromptMessage(role="user", content=block) for block in blocks])

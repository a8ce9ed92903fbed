"""Tools and a prompt of the suite that ask the client: by a request before protocol 2026-07-28, by a result since."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import warnings
from collections.abc import Mapping
from typing import Any

from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    Prompt,
    SamplingMessage,
    TextContent,
)

from saasus_mcp.server.elicitation import Context
from tests.conformance.fixtures import Called, Run, prompt_result, tool_result

KEY = secrets.token_bytes(32)
Schema = dict[str, Any]


def form(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


TEXT: Schema = {"type": "string"}
NAME = form(name=TEXT)
DEFAULTS = form(
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
OPTIONS = ["option1", "option2", "option3"]
TITLED = [{"const": f"value{n}", "title": title} for n, title in enumerate(("First", "Second", "Third"), 1)]
ENUMS = form(
    untitledSingle={"type": "string", "enum": OPTIONS},
    titledSingle={"type": "string", "oneOf": TITLED},
    legacyEnum={"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]},
    untitledMulti={"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    titledMulti={"type": "array", "items": {"anyOf": TITLED}},
)


# -- pushed ----------------------------------------------------------------------------------------------------------


async def push_elicitation(context: Context, message: str, schema: Schema) -> CallToolResult:
    """Ask by a request to the client. Return its answer as text."""
    given = await context.session.elicit_form(message, schema, related_request_id=context.request_id)
    return tool_result(f"Elicitation completed: action={given.action}, content={given.content}")


async def elicitation(context: Context, params: CallToolRequestParams) -> CallToolResult:
    wanted = form(username=TEXT | {"description": "User's response"}, email=TEXT | {"description": "User's address"})
    return await push_elicitation(context, str((params.arguments or {})["message"]), wanted)


async def elicitation_defaults(context: Context, _: CallToolRequestParams) -> CallToolResult:
    return await push_elicitation(context, "Please review", DEFAULTS)


async def elicitation_enums(context: Context, _: CallToolRequestParams) -> CallToolResult:
    return await push_elicitation(context, "Please choose", ENUMS)


async def sampling(context: Context, params: CallToolRequestParams) -> CallToolResult:
    prompt = TextContent(text=str((params.arguments or {})["prompt"]))
    with warnings.catch_warnings(action="ignore", category=MCPDeprecationWarning):
        result = await context.session.create_message(
            [SamplingMessage(role="user", content=prompt)], max_tokens=100, related_request_id=context.request_id
        )
    return tool_result(f"LLM response: {result.content.text if isinstance(result.content, TextContent) else '-'}")


# -- returned --------------------------------------------------------------------------------------------------------

Request = ElicitRequest | CreateMessageRequest | ListRootsRequest


def elicit(message: str, schema: Schema) -> ElicitRequest:
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(text: str, tokens: int = 100) -> CreateMessageRequest:
    messages = [SamplingMessage(role="user", content=TextContent(text=text))]
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=messages, max_tokens=tokens))


WHO = elicit("What is your name?", NAME)
CONFIRM = elicit("Please confirm", form(ok={"type": "boolean"}))


def seal_state(word: str) -> str:
    """Authenticate a state."""
    return f"{word}.{hmac.new(KEY, word.encode(), hashlib.sha256).hexdigest()}"


def open_state(state: str | None) -> str:
    """Return the word of a state.

    Raises:
        MCPError: the state was not made here.
    """
    word = (state or "").partition(".")[0]
    if state is None or not hmac.compare_digest(state, seal_state(word)):
        raise MCPError(INVALID_PARAMS, "Invalid requestState.")
    return word


def request_input(word: str = "", /, **requests: Request) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests, request_state=seal_state(word) if word else None)


def read_input(params: CallToolRequestParams | GetPromptRequestParams, key: str, kind: type[Any]) -> Any:
    """Return the client's answer under a key, or None if it is absent or of another type."""
    found = (params.input_responses or {}).get(key)
    return found if isinstance(found, kind) else None


async def one_name(_: Context, params: CallToolRequestParams) -> Called:
    name = read_input(params, "user_name", ElicitResult)
    return tool_result(f"Hello, {(name.content or {}).get('name')}!") if name else request_input(user_name=WHO)


async def one_sample(_: Context, params: CallToolRequestParams) -> Called:
    result = read_input(params, "capital_question", CreateMessageResult)
    return (
        tool_result(str(result.content))
        if result
        else request_input(capital_question=sample("What is the capital of France?"))
    )


async def roots(_: Context, params: CallToolRequestParams) -> Called:
    result = read_input(params, "client_roots", ListRootsResult)
    return tool_result(str(result.roots)) if result else request_input(client_roots=ListRootsRequest())


async def stateful(_: Context, params: CallToolRequestParams) -> Called:
    if not params.input_responses:
        return request_input("asked", confirm=CONFIRM)
    open_state(params.request_state)
    return tool_result("state-ok")


async def several(_: Context, params: CallToolRequestParams) -> Called:
    wanted: dict[str, Request] = {
        "user_name": WHO,
        "greeting": sample("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    if not wanted.keys() <= (params.input_responses or {}).keys():
        return request_input("asked", **wanted)
    open_state(params.request_state)
    return tool_result("All there.")


async def rounds(_: Context, params: CallToolRequestParams) -> Called:
    if not params.input_responses:
        return request_input("one", step1=elicit("Step 1: What is your name?", NAME))
    if open_state(params.request_state) == "one":
        return request_input("two", step2=elicit("Step 2: What is your favorite color?", form(color=TEXT)))
    return tool_result("Done.")


async def ask_by_capability(context: Context, _: CallToolRequestParams) -> Called:
    able = context.session.client_capabilities
    wanted: dict[str, Request] = {}
    if able and able.elicitation:
        wanted["user_name"] = WHO
    if able and able.sampling:
        wanted["greeting"] = sample("Generate a greeting")
    return request_input("", **wanted) if wanted else tool_result("Nothing can be asked.")


async def needs_sampling(context: Context, _: CallToolRequestParams) -> Called:
    able = context.session.client_capabilities
    if able is None or able.sampling is None:
        data: Any = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This needs sampling.", data)
    return tool_result("ok")


TOOLS: Mapping[str, Run] = {
    "test_elicitation": elicitation,
    "test_elicitation_sep1034_defaults": elicitation_defaults,
    "test_elicitation_sep1330_enums": elicitation_enums,
    "test_sampling": sampling,
    "test_input_required_result_elicitation": one_name,
    "test_input_required_result_sampling": one_sample,
    "test_input_required_result_list_roots": roots,
    "test_input_required_result_request_state": stateful,
    "test_input_required_result_tampered_state": stateful,
    "test_input_required_result_multiple_inputs": several,
    "test_input_required_result_multi_round": rounds,
    "test_input_required_result_capabilities": ask_by_capability,
    "test_streaming_elicitation": one_name,
    "test_missing_capability": needs_sampling,
}

PROMPT = Prompt(name="test_input_required_result_prompt", description="Asks for its context.")


def asking_prompt(params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
    context = read_input(params, "user_context", ElicitResult)
    if context is None:
        return request_input(user_context=elicit("What context should the prompt use?", form(context=TEXT)))
    return prompt_result(f"Context: {(context.content or {}).get('context')}")

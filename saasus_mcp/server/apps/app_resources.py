"""What clients that show apps get: the documents of the apps, the state of an approval, and the data beside a result.

Documents and states are resources that the client reads, on behalf of an app too. Neither is listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, ReadResourceResult, TextResourceContents

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.awaited import approval_state
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.apps.documents import APPS, build_document
from saasus_mcp.server.apps.extension import APP_MIME_TYPE, APPS_URI, declares_apps
from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.pipeline.call_pipeline import Pipeline

APPROVALS_URI = "saasus://approvals/"
DOCUMENT_TTL_MS = 3_600_000
MAX_CODE_LENGTH = 20


def shows_apps(context: Context) -> bool:
    """Return whether the client of a request shows apps, as it declared in the handshake or in the request."""
    if context.method == "initialize":
        capabilities = (context.params or {}).get("capabilities")
        return isinstance(capabilities, dict) and declares_apps(capabilities.get("extensions"))
    declared = context.session.client_capabilities
    return declared is not None and declares_apps(declared.extensions)


@dataclass(frozen=True, slots=True)
class AppResources:
    """The resources for apps of one server."""

    pipeline: Pipeline

    def has(self, uri: str) -> bool:
        """Return whether a URI is one of these resources, if it exists."""
        return uri.startswith((APPS_URI, APPROVALS_URI))

    async def read(self, uri: str, principal: Principal) -> ReadResourceResult:
        """Return the document of an app, or the state of an approval that this caller requested.

        Raises:
            MCPError: there is no such resource for this caller.
        """
        name = uri.removeprefix(APPS_URI)
        if name in APPS:
            document = TextResourceContents(
                uri=uri, mime_type=APP_MIME_TYPE, text=build_document(name), _meta={"ui": {"prefersBorder": True}}
            )
            return ReadResourceResult(contents=[document], ttl_ms=DOCUMENT_TTL_MS, cache_scope="private")
        code, now = uri.removeprefix(APPROVALS_URI)[:MAX_CODE_LENGTH], self.pipeline.clock()
        approval = await self.pipeline.store_executor(lambda: self.pipeline.store.find_approval(code, now))
        if approval is None or (approval.principal, approval.profile) != (
            principal.id,
            self.pipeline.destination.profile,
        ):
            raise MCPError(INVALID_PARAMS, "Unknown resource.", {"uri": uri[:200]})
        state = TextResourceContents(uri=uri, mime_type="application/json", text=compact_json(approval_state(approval)))
        return ReadResourceResult(contents=[state], ttl_ms=0, cache_scope="private")


MAX_FAILURE_PART = 1_000


def app_data(answer: ToolAnswer, catalogue: Catalogue, tool: str) -> dict[str, Any]:
    """Return the data for an app.

    It is what the answer brings and, in both languages, the title of the operation, which many clients do not tell an app, and what
    went wrong, what that changed, and what to do next.
    """
    failure = {} if answer.ok or answer.failure is None else {"failure": _failure_texts(answer)}
    return {**_title(catalogue, tool), **answer.app_data, **failure}


def _title(catalogue: Catalogue, tool: str) -> dict[str, dict[str, str]]:
    operation = catalogue.get(tool)
    if operation is None:
        return {}
    return {"title": {language: operation.title.text(language) for language in get_args(Language)}}


def _failure_texts(answer: ToolAnswer) -> dict[str, list[str]]:
    return {
        language: [part[:MAX_FAILURE_PART] for part in answer.failure_parts(language)]
        for language in get_args(Language)
    }

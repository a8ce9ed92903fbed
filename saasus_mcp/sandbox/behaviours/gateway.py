"""The Smart API Gateway: live settings, a draft made from uploads, and the API keys of tenants."""

from __future__ import annotations

from saasus_mcp.sandbox.call import Behaviour, SandboxCall, require_text
from saasus_mcp.sandbox.engine import CollectionResource, DocumentResource
from saasus_mcp.sandbox.state import Record, not_now

LIVE = "/v1/apigateway/settings"
DRAFT = "/v1/apigateway/draft/settings"
KEYS = "api_keys"
KEYS_OF_A_USER = 2
WIRING = ("role_arn", "saas_vpc_id", "saas_subnet_ids", "saas_alb_arn")


def _set_live(call: SandboxCall, **fields: object) -> None:
    call.state.change("documents", (LIVE,), **fields)


def _live(call: SandboxCall) -> Record:
    return call.state.get("documents", LIVE)


def _draft(call: SandboxCall) -> Record:
    found = call.state.find("documents", DRAFT)
    if found is None:
        raise not_now("There is no draft.")
    return found


def _apply(call: SandboxCall) -> None:
    _set_live(call, **_draft(call))
    call.state.drop("documents", DRAFT)


def _cancel(call: SandboxCall) -> None:
    _draft(call)
    call.state.drop("documents", DRAFT)


def _upload(call: SandboxCall) -> None:
    """Make a draft with one endpoint more than the live settings."""
    require_text(call, "content")
    number = call.state.new_id("endpoint")[:4]
    made = {"path": f"/generated-{number}", "method": "GET", "throttlings": [], "role_names": []}
    made["mapping_endpoint_id"] = f"sandbox.Service/generated{number}"
    endpoints = [*_live(call)["endpoint_settings_list"], made]
    url = f"https://assets.example.com/openapi-{number}.json?X-Amz-Signature=sandbox"
    draft = {"endpoint_settings_list": endpoints, "internal_endpoint_openapi_definition_file_download_url": url}
    call.state.put("documents", (DRAFT,), draft)
    _set_live(call, generated_file_status="generated")


def _create(call: SandboxCall) -> None:
    live = _live(call)
    lacking = [name for name in WIRING if not live[name]]
    if lacking:
        raise not_now(f"{lacking[0]} is not registered.")
    if not live["generated_file_status"]:
        raise not_now("No source was uploaded.")
    if live["status"] == "published":
        raise not_now("The gateway exists and is published.")
    _set_live(call, status="created")


def _publish(call: SandboxCall) -> None:
    if not _live(call)["status"]:
        raise not_now("The gateway was not created.")
    _set_live(call, status="published")


def _unpublish(call: SandboxCall) -> None:
    if _live(call)["status"] != "published":
        raise not_now("The gateway is not published.")
    _set_live(call, status="unpublished")


def _keys(call: SandboxCall) -> Record:
    wanted = {name: call.query[name] for name in ("tenant_id", "env_id", "user_id") if name in call.query}
    rows = [row for row in call.state.rows(KEYS) if all(row.get(name) == value for name, value in wanted.items())]
    return {"api_keys": [row for row in rows if not call.query.get("tenant_only") or "user_id" not in row]}


def _issue(call: SandboxCall) -> Record:
    """Add a key. No call removes one, and a user has at most two."""
    user_id = call.body.get("user_id")
    if user_id:
        call.state.get("members", call.body["tenant_id"], user_id, noun="tenant user")
    owner = (call.body["tenant_id"], call.body["env_id"], user_id)
    held = [row for row in call.state.rows(KEYS) if (row["tenant_id"], row["env_id"], row.get("user_id")) == owner]
    if user_id and len(held) >= KEYS_OF_A_USER:
        raise not_now(f"The user has {KEYS_OF_A_USER} keys already.")
    secrets = {"api_key": call.state.new_secret("gateway-key"), "client_secret": call.state.new_secret("client-secret")}
    record = {**secrets, **call.body}
    call.state.put(KEYS, (record["api_key"],), record)
    return record


def _refresh(call: SandboxCall) -> Record:
    key = call.state.get(KEYS, *call.scope, noun="API key")
    renewed = {**key, "client_secret": call.state.new_secret("client-secret")}
    call.state.put(KEYS, call.scope, renewed)
    return renewed


ROWS = (
    DocumentResource(LIVE),
    DocumentResource(DRAFT, default=lambda _call: {"endpoint_settings_list": []}),
    DocumentResource(
        "/v1/apigateway/tenants/{tenant_id}",
        default=lambda call: {"id": call.path["tenant_id"], "allowed_ips": [], "routing": {}},
    ),
    CollectionResource("/v1/apigateway/api-keys", KEYS, "API key", key="api_key"),
)

SPECIAL: dict[str, Behaviour] = {
    "apigateway.ApplyDraftApiGatewaySettings": _apply,
    "apigateway.CancelDraftApiGatewaySettings": _cancel,
    "apigateway.UploadGenerationFiles": _upload,
    "apigateway.UpdateOpenApiDefinition": lambda call: require_text(call, "content"),
    "apigateway.CreateApiGateway": _create,
    "apigateway.PublishApiGateway": _publish,
    "apigateway.UnpublishApiGateway": _unpublish,
    "apigateway.GetApiKeys": _keys,
    "apigateway.CreateApiKey": _issue,
    "apigateway.RefreshClientSecret": _refresh,
}

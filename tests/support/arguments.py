"""Arguments for any operation, made from its schema: all of them, only the required ones, and with one of them changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saasus_mcp.catalog import Operation
from tests.support.pipeline import FUTURE, HELD_ROLE, sample_value


def body_variants(operation: Operation) -> tuple[str, ...]:
    """Return the names of an operation's bodies, or one empty name if it has only one."""
    return tuple(operation.variants[1]) if operation.variants else ("",)


REQUIRED_VALUES: dict[str, Any] = {
    "attributes": {"birthday": "text-1"},
    "icon": "data:image/png;base64,eA==",
    "favicon": "data:image/png;base64,eA==",
    "aws_account_id": "123456789012",
    "allowed_ips": ["203.0.113.0/24"],
    "date": "2026-01-31",
    **dict.fromkeys(("email", "back_office_staff_email", "from_email_address", "reply_email_address"), "a@example.com"),
    **dict.fromkeys(("callback_url", "terms_of_service_url", "privacy_policy_url"), "https://www.example.com"),
    **dict.fromkeys(
        ("using_next_plan_from", "timestamp", "start_timestamp", "end_timestamp", "start_at", "end_at"), FUTURE
    ),
}
"""Values that rows of effects require (`requires`), by argument."""
FITTING_VALUES: dict[str, dict[str, Any]] = {
    "auth.CreateEnv": {"id": 7},
    "auth.DeleteTenantUserRole": {"role_name": HELD_ROLE},
    "auth.GetAuthCredentials": {"code": "text-1"},
    "auth.LinkAwsMarketplace": {"tenant_id": "free"},
    "auth.SignIn": {"sign_in_parameters": {"USERNAME": "text-1"}},
    "awsmarketplace.CreateCustomer": {"tenant_id": "free"},
    "pricing.CreateMeteringUnit": {"unit_name": "free"},
}
"""Values that the rows of single operations require: names that nothing has yet, a tenant without a contract, a role that is held."""


def complete_arguments(operation: Operation, shape: str = "") -> dict[str, Any]:
    """Return every argument of the operation, for a call that changes the samples of the stub."""
    values = {name: REQUIRED_VALUES.get(name, sample_value(field)) for name, field in _fields(operation, shape).items()}
    if "histories" in values:
        values["histories"] = [{**each, "timestamp": FUTURE} for each in values["histories"]]
    if "metadata_url" in values.get("identity_provider_props", ()):
        values["identity_provider_props"]["metadata_url"] = "https://www.example.com"
    return _changed(operation, _trimmed(operation, {**values, **FITTING_VALUES.get(operation.key, {})}))


def minimal_arguments(operation: Operation, shape: str = "") -> dict[str, Any]:
    """Return only the required arguments, at every depth."""
    fields, wanted = _fields(operation, shape), _required(operation, shape)
    values = {name: _least(field) for name, field in fields.items() if name in wanted}
    for names in operation.exactly_one:
        values.setdefault(names[0], sample_value(fields[names[0]]))
    if operation.body and not any(name not in operation.addressing for name in values):
        name = next(name for name in fields if name not in operation.addressing)
        values[name] = sample_value(fields[name])
    if values.get("enabled") and "method" in fields:
        values["method"] = sample_value(fields["method"])
    if "event_messages" in values:  # a list that must not be empty
        values["event_messages"] = sample_value(fields["event_messages"])
    values |= {name: REQUIRED_VALUES[name] for name in values if name in REQUIRED_VALUES}
    return _changed(operation, {**values, **FITTING_VALUES.get(operation.key, {})})


def altered_arguments(operation: Operation, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Generate the arguments with one of them changed to another value of its type."""
    for name, value in arguments.items():
        schema = operation.input_schema["properties"][name]
        if "enum" in schema or schema.get("format"):
            continue
        other = _other(value)
        if other != value:
            yield {**arguments, name: other}


def _fields(operation: Operation, shape: str) -> dict[str, Any]:
    own: dict[str, Any] = operation.input_schema.get("properties", {})
    if operation.variants is None:
        return own
    body: dict[str, Any] = operation.variants[1][shape or body_variants(operation)[0]]["properties"]
    return {name: own[name] for name in (*operation.path_parameters, *operation.query_parameters)} | body


def _required(operation: Operation, shape: str) -> set[str]:
    wanted = set(operation.input_schema.get("required", ()))
    if operation.variants is None:
        return wanted
    return wanted | set(operation.variants[1][shape or body_variants(operation)[0]]["required"])


def _trimmed(operation: Operation, values: dict[str, Any]) -> dict[str, Any]:
    left_out = {name for names in operation.exactly_one for name in names[1:]}
    return {name: value for name, value in values.items() if name not in left_out}


def _changed(operation: Operation, values: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of an update with one of them different from the sample of the stub."""
    diff = operation.effects.diff
    compared = diff.now if diff is not None and operation.effects.effect == "update" else ()
    for name in compared:
        if name in values and name not in {*REQUIRED_VALUES, *(operation.variants or ())[:1]}:
            schema = operation.input_schema["properties"][name]
            other = schema["enum"][-1] if "enum" in schema else _other(values[name])
            if other != values[name]:
                return {**values, name: other}
            if values[name] == {}:
                return {**values, name: {"any_key": "text-1"}}
    return values


def _least(schema: dict[str, Any]) -> Any:
    if "properties" in schema:
        return {name: _least(schema["properties"][name]) for name in schema.get("required", ())}
    if schema.get("type") == "object":
        return {}
    return [] if schema.get("type") == "array" else sample_value(schema)


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case list():
            return [*value, *value]
        case dict():
            return {name: _other(item) for name, item in value.items()}
        case _:
            return value

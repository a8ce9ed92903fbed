"""Attributes: definitions of extra fields, and values that must fit them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from saasus_mcp.sandbox.call import SandboxCall
from saasus_mcp.sandbox.engine import Check, CollectionResource, sent_body
from saasus_mcp.sandbox.state import Record, State, invalid


def check_attributes(state: State, table: str, values: Mapping[str, Any]) -> None:
    """Refuse values of undefined attributes, or of another type. A null counts as no value."""
    for name, value in values.items():
        defined = state.find(table, name)
        if defined is None:
            raise invalid(f"attributes.{name}: the attribute is not defined.")
        if value is not None and not _fits(defined["attribute_type"], value):
            raise invalid(f"attributes.{name}: expected {defined['attribute_type']}.")


def _fits(kind: str, value: object) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "date" and isinstance(value, str):
        try:
            return date.fromisoformat(value).isoformat() == value
        except ValueError:
            return False
    return isinstance(value, str)


def _values_go_too(table: str) -> Check:
    """Return a cascade that removes every value of a removed definition from the table."""

    def cascade(call: SandboxCall, definition: Record) -> None:
        name = definition["attribute_name"]

        def without(record: Record) -> Record:
            kept = {key: value for key, value in record["attributes"].items() if key != name}
            return {**record, "attributes": kept}

        call.state.rewrite(table, without)

    return cascade


def _definitions(path: str, table: str, values_in: str) -> CollectionResource:
    name = "attribute_name"
    return CollectionResource(path, table, "attribute", key=name, new=sent_body, cascade=_values_go_too(values_in))


ROWS = (
    _definitions("/v1/auth/user-attributes", "user_attributes", "members"),
    _definitions("/v1/auth/tenant-attributes", "tenant_attributes", "tenants"),
    _definitions("/v1/auth/saas-user-attributes", "saas_user_attributes", "users"),
)

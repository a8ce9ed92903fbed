"""The document of settings: its eighteen kinds, and how they are read, stored and validated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments, JsonPath
from saasus_mcp.common.json_tree import map_scalars
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_reader import JobReader, ReadFailed
from saasus_mcp.permissions.secrets.secret_vault import HANDLE_PREFIX
from saasus_mcp.saasus.secret_paths import REMOVED

FORMAT, VERSION = "saasus-settings", 1
MAX_ITEMS = 1_000
"""Items of one kind in a document."""
HANDLE_PATTERN = re.compile(re.escape(HANDLE_PREFIX) + r"[^\s\"'<>]*")
Settings = dict[str, Any]
"""By kind: an object, or a list of objects sorted by name."""


@dataclass(frozen=True, slots=True)
class SettingsKind:
    """One kind of settings.

    Attributes:
        reads: operations that return it. If there are several, each returns a part, by name.
        items: the list in the answer; empty if the answer is one object.
        key: the field that identifies an item of the list.
        dropped: fields that are not settings, such as ids, usage flags and signed URLs.
        named_lists: lists of objects of which the document has the names: the field of the answer and of the document.
    """

    reads: Mapping[str, str]
    items: str = ""
    key: str = ""
    dropped: frozenset[str] = frozenset()
    named_lists: Mapping[str, str] = field(default_factory=dict)

    def normalize(self, answer: Mapping[str, Any]) -> Any:
        """Return an answer in the form of the document."""
        if not self.items:
            return self._normalize_item(answer)
        items = [self._normalize_item(item) for item in answer.get(self.items) or ()]
        return sorted(items, key=lambda item: (str(type(item.get(self.key))), item.get(self.key)))

    def _normalize_item(self, item: Mapping[str, Any]) -> dict[str, Any]:
        kept = {
            name: value for name, value in item.items() if name not in self.dropped and name not in self.named_lists
        }
        names = {
            new: [each.get("name") for each in item.get(old) or ()]
            for old, new in self.named_lists.items()
            if old in item
        }
        redacted: dict[str, Any] = map_scalars({**kept, **names}, _remove_handles)
        return dict(sorted(redacted.items()))


def _remove_handles(value: Any) -> Any:
    """Remove secret handles from a text. Secrets must not travel in a document."""
    return HANDLE_PATTERN.sub(REMOVED, value) if isinstance(value, str) else value


def _object(operation: str) -> SettingsKind:
    return SettingsKind({"": operation})


def _list(operation: str, items: str, key: str, *dropped: str, **named_lists: str) -> SettingsKind:
    return SettingsKind({"": operation}, items, key, frozenset(dropped), named_lists)


SETTINGS_KINDS: Mapping[str, SettingsKind] = {
    "basic_info": _object("auth.GetBasicInfo"),
    "auth_info": _object("auth.GetAuthInfo"),
    "sign_in_settings": _object("auth.GetSignInSettings"),
    "identity_providers": _object("auth.GetIdentityProviders"),
    "notification_messages": _object("auth.FindNotificationMessages"),
    "customize_pages": _object("auth.GetCustomizePages"),
    "customize_page_settings": _object("auth.GetCustomizePageSettings"),
    "roles": _list("auth.GetRoles", "roles", "role_name"),
    "envs": _list("auth.GetEnvs", "envs", "id"),
    "user_attributes": _list("auth.GetUserAttributes", "user_attributes", "attribute_name"),
    "tenant_attributes": _list("auth.GetTenantAttributes", "tenant_attributes", "attribute_name"),
    "metering_units": _list("pricing.GetMeteringUnits", "units", "unit_name", "id", "used"),
    "tax_rates": _list("pricing.GetTaxRates", "tax_rates", "name", "id"),
    "pricing_units": _list("pricing.GetPricingUnits", "units", "name", "id", "used", "metering_unit_id"),
    "pricing_menus": _list("pricing.GetPricingMenus", "pricing_menus", "name", "id", "used", units="units"),
    "pricing_plans": _list("pricing.GetPricingPlans", "pricing_plans", "name", "id", "used", pricing_menus="menus"),
    "infrastructure": SettingsKind(
        {"api_gateway": "apigateway.GetApiGatewaySettings", "single_tenant": "auth.GetSingleTenantSettings"},
        dropped=frozenset(
            {
                "internal_endpoint_openapi_definition_file_download_url",
                "cloudformation_template_url",
                "ddl_template_url",
            }
        ),
    ),
    "links": SettingsKind(
        {
            "stripe": "billing.GetStripeInfo",
            "aws_marketplace": "awsmarketplace.GetSettings",
            "event_bridge": "integration.GetEventBridgeSettings",
        }
    ),
}
"""In the order of the document. Each kind refers only to kinds before it."""


async def read_saas_settings(work: JobContext, kinds: Sequence[str]) -> tuple[Settings, dict[str, Message]]:
    """Return the current settings of these kinds, and the reason for each part that cannot be read."""
    settings: Settings = {}
    unread: dict[str, Message] = {}
    for number, name in enumerate(kinds):
        await work.report_progress(number, len(kinds))
        kind = SETTINGS_KINDS[name]
        for part, operation in kind.reads.items():
            try:
                value = await work.read(operation, take=kind.normalize)
            except ReadFailed as error:
                unread[f"{name}.{part}" if part else name] = error.message
            else:
                settings[name] = {**settings.get(name, {}), part: value} if part else value
    await work.report_progress(len(kinds), len(kinds))
    return settings, unread


def build_settings_document(
    reader: JobReader, settings: Settings, unread: Iterable[str], exported_at: str
) -> dict[str, Any]:
    """Return the document, which names its source."""
    destination = reader.destination
    source = {"profile": destination.profile, "saas_id": destination.saas_id, "exported_at": exported_at}
    return {"format": FORMAT, "version": VERSION, "source": source, "settings": settings, "unread": [*unread]}


def select_kinds(names: Sequence[str] | None) -> list[str]:
    """Return the named kinds in the order of the document, or all kinds.

    Raises:
        InvalidArguments: a kind does not exist.
    """
    for name in names or ():
        if name not in SETTINGS_KINDS:
            raise InvalidArguments(("kinds",), message("jobs_settings.unknown_kind", kind=Quoted(name)), _kinds_hint())
    return [name for name in SETTINGS_KINDS if not names or name in names]


async def load_document(
    reader: JobReader, args: Mapping[str, Any], by_value: str = "document", by_id: str = "result"
) -> Settings:
    """Return the settings of a document, which is an argument or a stored result.

    Raises:
        InvalidArguments: neither or both are given, or it is not a valid document.
    """
    argument, content = await reader.load_input(args, by_value, by_id)
    return validate_document(content, argument)


def validate_document(content: Any, argument: str) -> Settings:
    """Return the settings of a document.

    Raises:
        InvalidArguments: it is not a valid document.
    """
    hint = message("jobs_settings.document_hint")
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise InvalidArguments((argument,), message("jobs_settings.not_a_document", format=FORMAT), hint)
    if content.get("version") != VERSION:
        problem = message("jobs_settings.unknown_version", version=VERSION)
        raise InvalidArguments((argument, "version"), problem, hint)
    settings = content.get("settings")
    if not isinstance(settings, Mapping):
        raise InvalidArguments((argument, "settings"), message("jobs_settings.not_an_object"), hint)
    for name, value in settings.items():
        if name not in SETTINGS_KINDS:
            problem = message("jobs_settings.unknown_kind", kind=Quoted(str(name)))
            raise InvalidArguments((argument, "settings", str(name)), problem, _kinds_hint())
        _validate_kind(SETTINGS_KINDS[name], value, (argument, "settings", name))
    return {name: settings[name] for name in SETTINGS_KINDS if name in settings}


def _kinds_hint() -> Message:
    return message("jobs_settings.kinds_hint", kinds=tuple(SETTINGS_KINDS))


def _validate_kind(kind: SettingsKind, value: Any, path: JsonPath) -> None:
    if not kind.items:
        if not isinstance(value, Mapping):
            raise InvalidArguments(path, message("jobs_settings.not_an_object"))
        return
    if not isinstance(value, list):
        raise InvalidArguments(path, message("jobs_settings.not_a_list"))
    if len(value) > MAX_ITEMS:
        raise InvalidArguments(path, message("jobs_settings.too_many_items", limit=MAX_ITEMS))
    for number, item in enumerate(value):
        _validate_item(kind, item, (*path, number))
    for name, count in Counter(item[kind.key] for item in value).items():
        if count > 1:
            problem = message("jobs_settings.duplicate_item", name=Quoted(str(name)), count=count)
            raise InvalidArguments(path, problem, message("jobs_settings.duplicate_item_hint"))


def _validate_item(kind: SettingsKind, item: Any, path: JsonPath) -> None:
    if not isinstance(item, Mapping) or not isinstance(item.get(kind.key), str | int):
        raise InvalidArguments((*path, kind.key), message("jobs_settings.key_missing"))
    for name in kind.named_lists.values():
        names = item.get(name, [])
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise InvalidArguments((*path, name), message("jobs_settings.not_names"))

"""The document of settings that is exported, compared and applied: its eighteen kinds, reading them, and checking one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments, JsonPath
from saasus_mcp.common.text import quote_text
from saasus_mcp.jobs.job_context import JobReader, ReadFailed
from saasus_mcp.permissions.secrets.secret_vault import HANDLE_PREFIX
from saasus_mcp.saasus.secret_names import REMOVED
from saasus_mcp.server.results.result_store import RESULTS_URI

FORMAT, VERSION = "saasus-settings", 1
MAX_ITEMS = 1_000
"""Of one kind, in a document."""
HANDLE_PATTERN = re.compile(re.escape(HANDLE_PREFIX) + r"[^\s\"'<>]*")
Settings = dict[str, Any]
"""Each kind's settings: an object, or a list of them in the order of their names."""


@dataclass(frozen=True, slots=True)
class SettingsKind:
    """One kind of settings.

    Attributes:
        reads: operations that answer with it; of several, each a part of it, by name.
        items: the list in the answer; empty where the answer is one object.
        key: what tells the items of the list apart.
        drop: what is no setting: ids, whether something is in use, addresses that are signed anew on each read.
        inner: lists of named things, of which the document holds the names: the answer's field and the document's.
    """

    reads: Mapping[str, str]
    items: str = ""
    key: str = ""
    dropped: frozenset[str] = frozenset()
    named_lists: Mapping[str, str] = field(default_factory=dict)

    def normalize(self, answer: Mapping[str, Any]) -> Any:
        """What the document holds of an answer."""
        if not self.items:
            return self._one(answer)
        found = [self._one(item) for item in answer.get(self.items) or ()]
        return sorted(found, key=lambda item: (str(type(item.get(self.key))), item.get(self.key)))

    def _one(self, item: Mapping[str, Any]) -> dict[str, Any]:
        kept = {
            name: value for name, value in item.items() if name not in self.dropped and name not in self.named_lists
        }
        named = {
            new: [each.get("name") for each in item.get(old) or ()]
            for old, new in self.named_lists.items()
            if old in item
        }
        given: dict[str, Any] = _redacted({**kept, **named})
        return dict(sorted(given.items()))


def _object(operation: str) -> SettingsKind:
    return SettingsKind({"": operation})


def _list(operation: str, items: str, key: str, *drop: str, **inner: str) -> SettingsKind:
    return SettingsKind({"": operation}, items, key, frozenset(drop), inner)


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
"""In the order of the document, which is also that in which one needs the other."""


async def ignore_progress(done: int, total: int) -> None:
    """Where nobody follows the reading."""


async def read_saas_settings(
    reader: JobReader, kinds: Sequence[str], tell: Callable[[int, int], Awaitable[None]] = ignore_progress
) -> tuple[Settings, dict[str, str]]:
    """The present settings of these kinds; and of what could not be read, why.

    Args:
        tell: called before each kind and after the last, with how many are read.
    """
    found: Settings = {}
    unread: dict[str, str] = {}
    for number, name in enumerate(kinds):
        await tell(number, len(kinds))
        kind = SETTINGS_KINDS[name]
        for part, operation in kind.reads.items():
            try:
                given = await reader.read(operation, take=kind.normalize)
            except ReadFailed as error:
                unread[f"{name}.{part}" if part else name] = str(error.message)
            else:
                found[name] = {**found.get(name, {}), part: given} if part else given
    await tell(len(kinds), len(kinds))
    return found, unread


def build_document(settings: Settings, unread: Iterable[str], source: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they are saved, and where they come from."""
    return {"format": FORMAT, "version": VERSION, "source": dict(source), "settings": settings, "unread": [*unread]}


def select_kinds(names: Sequence[str] | None) -> list[str]:
    """The kinds that are meant, in the document's order; all where none is named.

    Raises:
        InvalidArguments: one of them does not exist.
    """
    for name in names or ():
        if name not in SETTINGS_KINDS:
            raise InvalidArguments(("kinds",), f"there is no kind {quote_text(name)}.", f"{', '.join(SETTINGS_KINDS)}.")
    return [name for name in SETTINGS_KINDS if not names or name in names]


async def load_document(
    reader: JobReader, args: Mapping[str, Any], by_value: str = "document", by_id: str = "result"
) -> Settings:
    """The settings of a saved document, which comes as it is or as a kept result.

    Raises:
        InvalidArguments: neither or both are given, or it is no such document: where, and why.
    """
    if (by_value in args) == (by_id in args):
        raise InvalidArguments(
            (by_value,), f"exactly one of {by_value} and {by_id} must be given.", "Leave the other out."
        )
    if by_value in args:
        return validate_document(args[by_value], by_value)
    kept = await reader.load_result(args[by_id])
    if kept is None:
        raise InvalidArguments((by_id,), "there is no such result.", f"Results ({RESULTS_URI}…) last 24 hours.")
    return validate_document(kept, by_id)


def validate_document(given: Any, argument: str) -> Settings:
    """The settings in what is said to be a document of them.

    Raises:
        InvalidArguments: it is none: where, and why.
    """
    mend = "job_export_settings makes one."
    if not isinstance(given, Mapping) or given.get("format") != FORMAT:
        raise InvalidArguments((argument,), f"it is no document of settings (format {FORMAT!r}).", mend)
    if given.get("version") != VERSION:
        raise InvalidArguments((argument, "version"), f"only version {VERSION} is known.", mend)
    settings = given.get("settings")
    if not isinstance(settings, Mapping):
        raise InvalidArguments((argument, "settings"), "it is no object.", mend)
    for name, value in settings.items():
        if name not in SETTINGS_KINDS:
            raise InvalidArguments(
                (argument, "settings", str(name)), "there is no such kind.", f"{', '.join(SETTINGS_KINDS)}."
            )
        _check_kind(SETTINGS_KINDS[name], value, (argument, "settings", name))
    return {name: settings[name] for name in SETTINGS_KINDS if name in settings}


def _check_kind(kind: SettingsKind, value: Any, place: JsonPath) -> None:
    if not kind.items:
        if not isinstance(value, Mapping):
            raise InvalidArguments(place, "it is no object.")
        return
    if not isinstance(value, list):
        raise InvalidArguments(place, "it is no list.")
    if len(value) > MAX_ITEMS:
        raise InvalidArguments(place, f"it has more than {MAX_ITEMS} items.")
    for number, item in enumerate(value):
        _check_item(kind, item, (*place, number))
    for name, count in Counter(item[kind.key] for item in value).items():
        if count > 1:
            raise InvalidArguments(place, f"{quote_text(str(name))} is there {count} times.", "Names tell them apart.")


def _check_item(kind: SettingsKind, item: Any, place: JsonPath) -> None:
    if not isinstance(item, Mapping) or not isinstance(item.get(kind.key), str | int):
        raise InvalidArguments((*place, kind.key), "it is missing.")
    for inner in kind.named_lists.values():
        if not _names(item.get(inner, [])):
            raise InvalidArguments((*place, inner), "it is no list of names.")


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _redacted(value: Any) -> Any:
    """The value without handles: they stand for secrets, and those do not travel in a document."""
    if isinstance(value, str):
        return HANDLE_PATTERN.sub(REMOVED, value)
    if isinstance(value, Mapping):
        return {name: _redacted(each) for name, each in value.items()}
    return [_redacted(each) for each in value] if isinstance(value, list) else value


def document_source(reader: JobReader, at: str) -> dict[str, Any]:
    """Where a document comes from."""
    return {"profile": reader.place.profile, "saas_id": reader.place.saas_id, "exported_at": at}

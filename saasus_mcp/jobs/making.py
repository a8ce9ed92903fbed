"""How each kind of settings is made and changed: by which operations, with which arguments, and what never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NAMES = ("display_name", "description")
METERED = ("upper_count", "metering_unit_name", "aggregate_usage")
BY_TYPE: Mapping[str, tuple[str, ...]] = {
    "fixed": ("unit_amount", "recurring_interval"),
    "usage": (*METERED, "unit_amount"),
    "tiered": (*METERED, "tiers"),
    "tiered_usage": (*METERED, "tiers"),
}
"""What a pricing unit of each type takes besides what all of them do."""


@dataclass(frozen=True, slots=True)
class Maker:
    """How items of one kind come to be.

    Attributes:
        create: operation key; its arguments are `fields`.
        update: operation key; empty where nothing changes an item. It takes all of `fields` unless `sends` says which.
        named: the argument of the update that says which item, and the field of the present item that it is.
        changes: the fields that an update changes.
        refers: the kind that its items are made of: the document's list of their names, and the argument for their ids.
        frozen: whether an item in use is never to be changed.
        phase: made after those of the phases before.
    """

    create: str
    fields: tuple[str, ...]
    update: str = ""
    named: tuple[str, str] = ("", "")
    changes: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    refers: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    frozen: bool = False
    phase: int = 0

    @property
    def known(self) -> frozenset[str]:
        """The fields of an item that mean something here."""
        return frozenset((*self.fields, *self.changes, *self.refers))

    def arguments(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """What the create takes of an item; ids of others come on top."""
        wanted = (*self.fields, *BY_TYPE.get(str(item.get("type")), ()))
        return {name: item[name] for name in wanted if item.get(name) is not None}

    def present(self, item: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
        """What the update takes to make the present item like this one."""
        argument, of = self.named
        given = self.arguments(item)
        return {argument: live[of], **{name: given[name] for name in self.sends or given if name in given}}


MAKERS: Mapping[str, Maker] = {
    "roles": Maker(
        "auth.CreateRole",
        ("role_name", "display_name"),
        "auth.UpdateRole",
        ("role_name", "role_name"),
        ("display_name",),
    ),
    "envs": Maker(
        "auth.CreateEnv",
        ("id", "name", "display_name"),
        "auth.UpdateEnv",
        ("env_id", "id"),
        ("name", "display_name"),
        ("name", "display_name"),
    ),
    "user_attributes": Maker("auth.CreateUserAttribute", ("attribute_name", "display_name", "attribute_type")),
    "tenant_attributes": Maker("auth.CreateTenantAttribute", ("attribute_name", "display_name", "attribute_type")),
    "metering_units": Maker(
        "pricing.CreateMeteringUnit",
        ("unit_name", "aggregate_usage", *NAMES),
        "pricing.UpdateMeteringUnitByID",
        ("metering_unit_id", "id"),
        NAMES,
    ),
    "tax_rates": Maker(
        "pricing.CreateTaxRate",
        ("name", "percentage", "inclusive", "country", *NAMES),
        "pricing.UpdateTaxRate",
        ("tax_rate_id", "id"),
        NAMES,
        NAMES,
    ),
    "pricing_units": Maker(
        "pricing.CreatePricingUnit",
        ("type", "name", "currency", *NAMES),
        "pricing.UpdatePricingUnit",
        ("pricing_unit_id", "id"),
        (*NAMES, "type", "currency", "unit_amount", "recurring_interval", "tiers", *METERED),
        frozen=True,
        phase=1,
    ),
    "pricing_menus": Maker(
        "pricing.CreatePricingMenu",
        ("name", *NAMES),
        "pricing.UpdatePricingMenu",
        ("menu_id", "id"),
        (*NAMES, "units"),
        refers={"units": ("pricing_units", "unit_ids")},
        frozen=True,
        phase=2,
    ),
    "pricing_plans": Maker(
        "pricing.CreatePricingPlan",
        ("name", *NAMES),
        "pricing.UpdatePricingPlan",
        ("plan_id", "id"),
        (*NAMES, "menus"),
        refers={"menus": ("pricing_menus", "menu_ids")},
        frozen=True,
        phase=3,
    ),
}
TEXTS: Mapping[str, str] = {
    "notification_messages": "auth.UpdateNotificationMessages",
    "customize_pages": "auth.UpdateCustomizePages",
}
"""Whole texts, which are overwritten, and only where they are named."""
LEFT: Mapping[str, str] = {
    "basic_info": "the domain and senders of each SaaS are its own; auth_update_basic_info changes them",
    "auth_info": "the callback URL is each environment's own; auth_update_auth_info changes it",
    "sign_in_settings": "the reCAPTCHA secret is redacted, and parts cannot be changed; auth_update_sign_in_settings",
    "identity_providers": "the secrets are redacted; auth_update_identity_provider",
    "customize_page_settings": "icons are read as URLs and written as data; auth_update_customize_page_settings",
    "infrastructure": "it is built, not copied",
    "links": "Stripe, AWS Marketplace and EventBridge are each connected with secrets of their own",
}
"""What is never applied, and why."""

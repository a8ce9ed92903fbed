"""How each kind of settings is made and changed: by which operations, with which arguments, and what never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DISPLAY_FIELDS = ("display_name", "description")
METERED_FIELDS = ("upper_count", "metering_unit_name", "aggregate_usage")
FIELDS_BY_TYPE: Mapping[str, tuple[str, ...]] = {
    "fixed": ("unit_amount", "recurring_interval"),
    "usage": (*METERED_FIELDS, "unit_amount"),
    "tiered": (*METERED_FIELDS, "tiers"),
    "tiered_usage": (*METERED_FIELDS, "tiers"),
}
"""What a pricing unit of each type takes besides what all of them do."""


@dataclass(frozen=True, slots=True)
class ResourceSpec:
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
    identifier: tuple[str, str] = ("", "")
    mutable_fields: tuple[str, ...] = ()
    update_fields: tuple[str, ...] = ()
    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    locked_when_used: bool = False
    phase: int = 0

    @property
    def known_fields(self) -> frozenset[str]:
        """The fields of an item that mean something here."""
        return frozenset((*self.fields, *self.mutable_fields, *self.references))

    def create_arguments(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """What the create takes of an item; ids of others come on top."""
        wanted = (*self.fields, *FIELDS_BY_TYPE.get(str(item.get("type")), ()))
        return {name: item[name] for name in wanted if item.get(name) is not None}

    def update_arguments(self, item: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
        """What the update takes to make the present item like this one."""
        argument, of = self.identifier
        given = self.create_arguments(item)
        return {argument: live[of], **{name: given[name] for name in self.update_fields or given if name in given}}


RESOURCES: Mapping[str, ResourceSpec] = {
    "roles": ResourceSpec(
        "auth.CreateRole",
        ("role_name", "display_name"),
        "auth.UpdateRole",
        ("role_name", "role_name"),
        ("display_name",),
    ),
    "envs": ResourceSpec(
        "auth.CreateEnv",
        ("id", "name", "display_name"),
        "auth.UpdateEnv",
        ("env_id", "id"),
        ("name", "display_name"),
        ("name", "display_name"),
    ),
    "user_attributes": ResourceSpec("auth.CreateUserAttribute", ("attribute_name", "display_name", "attribute_type")),
    "tenant_attributes": ResourceSpec(
        "auth.CreateTenantAttribute", ("attribute_name", "display_name", "attribute_type")
    ),
    "metering_units": ResourceSpec(
        "pricing.CreateMeteringUnit",
        ("unit_name", "aggregate_usage", *DISPLAY_FIELDS),
        "pricing.UpdateMeteringUnitByID",
        ("metering_unit_id", "id"),
        DISPLAY_FIELDS,
    ),
    "tax_rates": ResourceSpec(
        "pricing.CreateTaxRate",
        ("name", "percentage", "inclusive", "country", *DISPLAY_FIELDS),
        "pricing.UpdateTaxRate",
        ("tax_rate_id", "id"),
        DISPLAY_FIELDS,
        DISPLAY_FIELDS,
    ),
    "pricing_units": ResourceSpec(
        "pricing.CreatePricingUnit",
        ("type", "name", "currency", *DISPLAY_FIELDS),
        "pricing.UpdatePricingUnit",
        ("pricing_unit_id", "id"),
        (*DISPLAY_FIELDS, "type", "currency", "unit_amount", "recurring_interval", "tiers", *METERED_FIELDS),
        locked_when_used=True,
        phase=1,
    ),
    "pricing_menus": ResourceSpec(
        "pricing.CreatePricingMenu",
        ("name", *DISPLAY_FIELDS),
        "pricing.UpdatePricingMenu",
        ("menu_id", "id"),
        (*DISPLAY_FIELDS, "units"),
        references={"units": ("pricing_units", "unit_ids")},
        locked_when_used=True,
        phase=2,
    ),
    "pricing_plans": ResourceSpec(
        "pricing.CreatePricingPlan",
        ("name", *DISPLAY_FIELDS),
        "pricing.UpdatePricingPlan",
        ("plan_id", "id"),
        (*DISPLAY_FIELDS, "menus"),
        references={"menus": ("pricing_menus", "menu_ids")},
        locked_when_used=True,
        phase=3,
    ),
}
TEXT_OPERATIONS: Mapping[str, str] = {
    "notification_messages": "auth.UpdateNotificationMessages",
    "customize_pages": "auth.UpdateCustomizePages",
}
"""Whole texts, which are overwritten, and only where they are named."""
NOT_APPLIED: Mapping[str, str] = {
    "basic_info": "the domain and senders of each SaaS are its own; auth_update_basic_info changes them",
    "auth_info": "the callback URL is each environment's own; auth_update_auth_info changes it",
    "sign_in_settings": "the reCAPTCHA secret is redacted, and parts cannot be changed; auth_update_sign_in_settings",
    "identity_providers": "the secrets are redacted; auth_update_identity_provider",
    "customize_page_settings": "icons are read as URLs and written as data; auth_update_customize_page_settings",
    "infrastructure": "it is built, not copied",
    "links": "Stripe, AWS Marketplace and EventBridge are each connected with secrets of their own",
}
"""What is never applied, and why."""

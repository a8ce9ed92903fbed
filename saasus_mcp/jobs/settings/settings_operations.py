"""The operations that create and update each kind of settings, and their arguments."""

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
"""Fields of a pricing unit that only its type has."""


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """How items of one kind are created and updated.

    Attributes:
        create: operation key; its arguments are `fields`.
        update: operation key; empty if no operation updates an item. Its arguments are `update_fields`, or `fields` if empty.
        identifier: the argument of the update that names the item, and the field of the current item with its value.
        mutable_fields: fields that an update changes.
        references: by list of names in the document, the kind that it names and the argument for their ids.
        locked_when_used: an item in use cannot be changed.
        phase: items are created after those of earlier phases.
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
        return frozenset((*self.fields, *self.mutable_fields, *self.references))

    def create_arguments(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the create, without ids of other items."""
        names = (*self.fields, *FIELDS_BY_TYPE.get(str(item.get("type")), ()))
        return {name: item[name] for name in names if item.get(name) is not None}

    def update_arguments(self, item: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the update that makes the current item equal to `item`."""
        argument, field_name = self.identifier
        values = self.create_arguments(item)
        return {
            argument: current[field_name],
            **{name: values[name] for name in self.update_fields or values if name in values},
        }


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
"""Texts that an update replaces as a whole. They are applied only if the arguments name them."""

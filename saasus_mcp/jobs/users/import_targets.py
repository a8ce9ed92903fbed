"""The tenants, environments, roles and attributes that a list of users can name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from saasus_mcp.jobs.name_index import NameIndex


@dataclass(frozen=True, slots=True)
class DisplayName:
    """The technical name of an environment or role, and the name that people use."""

    name: str
    display_name: str = ""

    @property
    def label(self) -> str:
        """Both names, if they differ."""
        if self.display_name and self.display_name != self.name:
            return f"{self.display_name} ({self.name})"
        return self.name


@dataclass(frozen=True)
class ImportTargets:
    """What a list can name.

    Attributes:
        tenants: names, by id.
        envs: by id.
        roles: display names, by name.
        attributes: types of user attributes, by name.
        attribute_titles: what people call them, by name.
    """

    tenants: Mapping[str, str]
    envs: Mapping[int, DisplayName]
    roles: Mapping[str, str]
    attributes: Mapping[str, str]
    attribute_titles: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def tenant_index(self) -> NameIndex[str]:
        return NameIndex("tenant", {key: [name] for key, name in self.tenants.items()})

    @cached_property
    def env_index(self) -> NameIndex[int]:
        return NameIndex("environment", {key: [env.name, env.display_name] for key, env in self.envs.items()})

    @cached_property
    def role_index(self) -> NameIndex[str]:
        return NameIndex("role", {name: [name, display] for name, display in self.roles.items()})

    def role_label(self, role: str) -> str:
        return DisplayName(role, self.roles.get(role, "")).label

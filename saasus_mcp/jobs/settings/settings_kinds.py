"""The kinds of settings, as settings_kinds.yaml lists them: how each is read, and how its items are created and updated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from saasus_mcp.common.json_tree import map_scalars
from saasus_mcp.permissions.secrets.secret_vault import HANDLE_PREFIX
from saasus_mcp.saasus.secret_paths import REMOVED

FILE = Path(__file__).with_name("settings_kinds.yaml")
HANDLE_PATTERN = re.compile(re.escape(HANDLE_PREFIX) + r"[^\s\"'<>]*")


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """How items of one kind are created and updated.

    Attributes:
        create: operation key; its arguments are `fields`, and those of `fields_by_type` for the item's own type.
        update: operation key; empty if no operation updates an item. Its arguments are `update_fields`, or `fields` if empty.
        identifier: the argument of the update that names the item, and the field of the current item with its value.
        mutable_fields: fields that an update changes.
        references: by list of names in the document, the kind that it names and the argument for their ids.
        locked_when_used: an item in use cannot be changed.
        phase: items are created after those of earlier phases.
    """

    create: str
    fields: tuple[str, ...]
    fields_by_type: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
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
        names = (*self.fields, *self.fields_by_type.get(str(item.get("type")), ()))
        return {name: item[name] for name in names if item.get(name) is not None}

    def update_arguments(self, item: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the update that makes the current item equal to `item`."""
        argument, field_name = self.identifier
        values = self.create_arguments(item)
        return {
            argument: current[field_name],
            **{name: values[name] for name in self.update_fields or values if name in values},
        }


@dataclass(frozen=True, slots=True)
class SettingsKind:
    """One kind of settings.

    Attributes:
        reads: operations that return it. If there are several, each returns a part, by name.
        items: the list in the answer; empty if the answer is one object.
        key: the field that identifies an item of the list.
        dropped: fields that are not settings, such as ids, usage flags and signed URLs.
        named_lists: lists of objects of which the document has the names: the field of the answer and of the document.
        resource: how items are created and updated; None for a kind that is not applied, or is replaced as a whole.
        text_update: the operation that replaces its texts as a whole, which is done only if the arguments name the kind.
    """

    reads: Mapping[str, str]
    items: str = ""
    key: str = ""
    dropped: frozenset[str] = frozenset()
    named_lists: Mapping[str, str] = field(default_factory=dict)
    resource: ResourceSpec | None = None
    text_update: str = ""

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


SETTINGS_KINDS = TypeAdapter(dict[str, SettingsKind]).validate_python(yaml.safe_load(FILE.read_text(encoding="utf-8")))
"""In the order of the document."""
RESOURCES = {name: kind.resource for name, kind in SETTINGS_KINDS.items() if kind.resource is not None}
TEXT_OPERATIONS = {name: kind.text_update for name, kind in SETTINGS_KINDS.items() if kind.text_update}

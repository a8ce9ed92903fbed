"""What a SaaS still lacks of a document of settings, as the steps of a plan, and what is left as it is and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments, JsonPath
from saasus_mcp.common.language import Text
from saasus_mcp.common.text import quote_text
from saasus_mcp.jobs.job_context import JobReader
from saasus_mcp.jobs.plan import AnswerLookup, PlanStep, StepGroup
from saasus_mcp.jobs.settings.settings_diff import changed_settings
from saasus_mcp.jobs.settings.settings_document import SETTINGS_KINDS
from saasus_mcp.jobs.settings.settings_operations import RESOURCES, TEXT_OPERATIONS, ResourceSpec
from saasus_mcp.jobs.settings.settings_question import SettingChange
from saasus_mcp.saasus.secret_names import REMOVED
from saasus_mcp.saasus.tool_answer import compact_json

PLACEHOLDER = "later"
"""Holds the place of an id in a list until it is known."""
ItemReport = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DocumentItem:
    """One item of the document."""

    kind: str
    index: int
    value: Mapping[str, Any]

    @property
    def spec(self) -> ResourceSpec:
        """How such items are made."""
        return RESOURCES[self.kind]

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.value[SETTINGS_KINDS[self.kind].key])

    @property
    def path(self) -> JsonPath:
        """Where it stands among the settings."""
        return self.kind, self.index


@dataclass(slots=True)
class CurrentItems:
    """The present items of a kind by name, and those as the document would hold them; of two of one name, neither."""

    raw: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    normalized: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    duplicates: set[str] = field(default_factory=set)


class SettingsPlanner:
    """Collects the steps.

    Args:
        argument: by which the document came.
        update: whether what is there and different is changed, where it can be.
    """

    def __init__(self, reader: JobReader, argument: str, *, update: bool) -> None:
        self.groups: list[StepGroup] = []
        self.reports: list[ItemReport] = []
        self.skipped: list[tuple[DocumentItem, Text]] = []
        self.changes: list[SettingChange] = []
        self.unknown_fields: set[tuple[str, str]] = set()
        self.dependencies: dict[str, list[str]] = {}
        self.phase_sizes: list[int] = [0, 0, 0, 0]
        self._reader = reader
        self._argument = argument
        self._update = update
        self._live: dict[str, CurrentItems] = {}
        self._making: dict[tuple[str, str], PlanStep] = {}

    async def add_items(self, kind: str, items: Sequence[Mapping[str, Any]]) -> None:
        """Plan the items of one kind, after those that it is made of."""
        live = await self._present(kind)
        for number, value in enumerate(items):
            item = self._item(kind, number, value)
            entry, why = self._step(item, live)
            told: ItemReport = {"kind": kind, "name": item.name, "do": "leave" if why else "same"}
            if entry is not None:
                told["do"] = "create" if entry.operation == item.spec.create else "update"
                self._add(StepGroup(f"{kind} {item.name}", (entry,)), item.spec.phase, self._needed(item))
            if why is not None:
                self.skipped.append((item, why))
            self.reports.append({**told, **({"why": why.en} if why else {})})

    def _item(self, kind: str, number: int, value: Mapping[str, Any]) -> DocumentItem:
        """An item by its known fields: a document may be of a later version, or from a stranger."""
        known = RESOURCES[kind].known_fields
        self.unknown_fields |= {(kind, name) for name in value if name not in known}
        return DocumentItem(kind, number, {name: each for name, each in value.items() if name in known})

    def add_texts(self, kind: str, saved: Mapping[str, Any], live: Mapping[str, Any]) -> None:
        """Plan to overwrite the texts of a kind, where one is different."""
        different = changed_settings(kind, saved, live)
        if not different:
            self.reports.append({"kind": kind, "name": "", "do": "same"})
            return
        args = {name: value for name, value in {**live, **saved}.items() if value is not None}
        args = self._understood(TEXT_OPERATIONS[kind], args, (kind,))
        self._add(StepGroup(kind, (PlanStep(kind, TEXT_OPERATIONS[kind], args),)), 0, [])
        self._differs(kind, "", different, live, saved)
        self.reports.append({"kind": kind, "name": "", "do": "update"})

    def _add(self, row: StepGroup, phase: int, needs: list[str]) -> None:
        self.groups.append(row)
        self.phase_sizes[phase] += 1
        if needs:
            self.dependencies[row.name] = needs

    def _step(self, item: DocumentItem, live: CurrentItems) -> tuple[PlanStep | None, Text | None]:
        """The step that an item needs, or why it is left; neither where it is there already."""
        if REMOVED in compact_json(item.value):
            return None, Text("a part of it is redacted", "一部が伏せられています")
        if item.name in live.duplicates:
            return None, Text("several are called so here", "同じ名前のものが複数あります")
        if item.name not in live.raw:
            entry = self._entry(item, item.spec.create, item.spec.create_arguments(item.value))
            self._making[item.kind, item.name] = entry
            return entry, None
        different = changed_settings(item.kind, item.value, live.normalized[item.name])
        return self._change(item, live.raw[item.name], different) if different else (None, None)

    def _change(
        self, item: DocumentItem, present: Mapping[str, Any], different: Sequence[str]
    ) -> tuple[PlanStep | None, Text | None]:
        which = ", ".join(different)
        if not self._update:
            return None, Text(
                f"it is different here ({which}); update was not asked for",
                f"異なります({which})。変更は指定されていません",
            )
        fixed = [name for name in different if name not in item.spec.mutable_fields]
        if fixed:
            return None, Text(
                f"nothing changes its {', '.join(fixed)}", f"{', '.join(fixed)}を変更する手段がありません"
            )
        if item.spec.locked_when_used and present.get("used"):
            return None, Text(
                f"it is different here ({which}), but in use and so frozen",
                f"異なります({which})が、使用中のため変更できません",
            )
        self._differs(item.kind, item.name, different, self._live[item.kind].normalized[item.name], item.value)
        return self._entry(item, item.spec.update, item.spec.update_arguments(item.value, present)), None

    def _differs(
        self, kind: str, name: str, fields: Sequence[str], live: Mapping[str, Any], saved: Mapping[str, Any]
    ) -> None:
        """Note what is changed, field by field, and where a field holds others, by those."""
        for field_ in fields:
            for before, after, path in _pairs(live.get(field_), saved.get(field_), field_):
                self.changes.append(SettingChange(kind, name, path, before, after, saved))

    def _entry(self, item: DocumentItem, operation: str, args: dict[str, Any]) -> PlanStep:
        """The call for an item, with the ids of what it is made of, or where they come from."""
        later: dict[str, tuple[str, str]] = {}
        for names, (other, argument) in item.spec.references.items():
            listed = enumerate(item.value.get(names, []))
            ids = [self._id(other, name, (*item.path, names, number)) for number, name in listed]
            args[argument] = [PLACEHOLDER if isinstance(each, PlanStep) else each for each in ids]
            later |= {
                f"{argument}.{at}": (each.step, "id") for at, each in enumerate(ids) if isinstance(each, PlanStep)
            }
        args = self._understood(operation, args, item.path)
        find = _find(item) if operation == item.spec.create else None
        return PlanStep(f"{item.kind}/{item.index + 1}", operation, args, later, find)

    def _id(self, kind: str, name: str, place: JsonPath) -> str | PlanStep:
        """The id of an item that another is made of, or the step that makes it.

        Raises:
            InvalidArguments: it is neither here nor to be made, or there are several.
        """
        made, live = self._making.get((kind, name)), self._live.get(kind, CurrentItems())
        if made is not None:
            return made
        if name in live.raw:
            return str(live.raw[name]["id"])
        said = "several are" if name in live.duplicates else "nothing is"
        raise self._invalid(place, f"{said} called {quote_text(name)} among the {kind} here and to be made.")

    def _needed(self, item: DocumentItem) -> list[str]:
        """The rows without which this one is not begun: those that make what it is made of."""
        names = [(other, name) for of, (other, _) in item.spec.references.items() for name in item.value.get(of, [])]
        names.append(("metering_units", item.value.get("metering_unit_name")))
        return [f"{other} {name}" for other, name in names if (other, name) in self._making]

    async def _present(self, kind: str) -> CurrentItems:
        """What is there of a kind, and of the kinds that it is made of."""
        for other in [*(other for other, _ in RESOURCES[kind].references.values()), kind]:
            if other not in self._live:
                raw = await self._reader.read(SETTINGS_KINDS[other].reads[""], take=lambda answer: answer)
                self._live[other] = _live(other, raw)
        return self._live[kind]

    def _understood(self, operation: str, args: Mapping[str, Any], place: JsonPath) -> dict[str, Any]:
        try:
            return self._reader.validate_arguments(operation, args)
        except InvalidArguments as error:
            raise self._invalid(place, error.message) from None

    def _invalid(self, place: JsonPath, message: str) -> InvalidArguments:
        return InvalidArguments((self._argument, "settings", *place), message, "Correct the document.")


def _live(kind: str, answer: Mapping[str, Any]) -> CurrentItems:
    found, of = CurrentItems(), SETTINGS_KINDS[kind]
    tidied = {str(item[of.key]): item for item in of.normalize(answer)}
    for item in answer.get(of.items) or ():
        name = str(item[of.key])
        if name in found.raw:
            found.duplicates.add(name)
        found.raw[name], found.normalized[name] = item, tidied[name]
    for name in found.duplicates:
        del found.raw[name]
    return found


def _pairs(before: Any, after: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """The values that differ, with their paths."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            if before.get(name) != after.get(name):
                yield from _pairs(before.get(name), after.get(name), f"{path}.{name}")
    else:
        yield before, after, path


def _find(item: DocumentItem) -> AnswerLookup | None:
    """How to find what was made, where others need its id."""
    if item.kind not in {other for maker in RESOURCES.values() for other, _ in maker.references.values()}:
        return None
    of = SETTINGS_KINDS[item.kind]
    return AnswerLookup(of.reads[""], {}, of.items, {"name": item.name})

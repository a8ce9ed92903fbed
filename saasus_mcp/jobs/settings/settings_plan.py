"""The plan that makes the settings of a SaaS equal to a document, and the items that it leaves unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.catalog.question_texts import load_question_texts
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.json_path import InvalidArguments, JsonPath
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import Lines, Message, message, one_of
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.plan import AnswerLookup, PlanStep, StepGroup
from saasus_mcp.jobs.settings.settings_document import changed_settings
from saasus_mcp.jobs.settings.settings_kinds import RESOURCES, SETTINGS_KINDS, TEXT_OPERATIONS, ResourceSpec
from saasus_mcp.jobs.settings.settings_question import SettingChange
from saasus_mcp.saasus.secret_paths import REMOVED

UNKNOWN_ID = "later"
"""Stands for an id in a list until an earlier step supplies it."""
MAX_REPORTED_FAULTS = 50
"""Faults that the error about a document lists."""
ItemReport = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DocumentItem:
    kind: str
    index: int
    value: Mapping[str, Any]

    @property
    def spec(self) -> ResourceSpec:
        return RESOURCES[self.kind]

    @property
    def name(self) -> str:
        return str(self.value[SETTINGS_KINDS[self.kind].key])

    @property
    def path(self) -> JsonPath:
        return self.kind, self.index


@dataclass(slots=True)
class CurrentItems:
    """The current items of a kind, by name.

    Attributes:
        raw: as the API returns them.
        normalized: in the form of the document.
        duplicates: names that several items have. These items are in neither of the other fields.
    """

    raw: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    normalized: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    duplicates: set[str] = field(default_factory=set)


class SettingsPlanner:
    """Collects the steps.

    Args:
        argument: the argument that the document comes from.
        update: whether items that differ are changed.
    """

    def __init__(self, reader: JobReader, argument: str, *, update: bool) -> None:
        self.groups: list[StepGroup] = []
        self.reports: list[ItemReport] = []
        self.skipped: list[tuple[DocumentItem, Message]] = []
        self.changes: list[SettingChange] = []
        self.unknown_fields: set[tuple[str, str]] = set()
        self.dependencies: dict[str, list[str]] = {}
        self.phase_sizes: list[int] = [0, 0, 0, 0]
        self._reader = reader
        self._argument = argument
        self._update = update
        self._current: dict[str, CurrentItems] = {}
        self._creating: dict[tuple[str, str], PlanStep] = {}
        self._faults: list[InvalidArguments] = []
        self._faulty: set[tuple[str, str]] = set()

    async def add_items(self, kind: str, items: Sequence[Mapping[str, Any]]) -> None:
        """Plan the items of one kind. The kinds that it refers to must be planned before."""
        current = await self._read_current(kind)
        for index, value in enumerate(items):
            item = self._known_fields(kind, index, value)
            try:
                step, reason = self._plan_item(item, current)
            except InvalidArguments as error:
                self._faults.append(error)
                self._faulty.add((kind, item.name))
                continue
            report: ItemReport = {"kind": kind, "name": item.name, "do": "leave" if reason else "same"}
            if step is not None:
                report["do"] = "create" if step.operation == item.spec.create else "update"
                self._add(StepGroup(f"{kind} {item.name}", (step,)), item.spec.phase, self._dependencies_of(item))
            if reason is not None:
                self.skipped.append((item, reason))
                report["why"] = reason.text(self._reader.language)
            self.reports.append(report)

    def require_no_faults(self) -> None:
        """Refuse the document if an item of it has a fault.

        Raises:
            InvalidArguments: it names all faults.
        """
        if len(self._faults) == 1:
            raise self._faults[0]
        if self._faults:
            lines = [error.message for error in self._faults[:MAX_REPORTED_FAULTS]]
            if more := len(self._faults) - len(lines):
                lines.append(message("jobs_settings.more_faults", count=more))
            count = len(self._faults)
            raise InvalidArguments.at(
                (self._argument,), "jobs_settings.faulty_items", count=count, lines=Lines(tuple(lines))
            )

    def _known_fields(self, kind: str, index: int, value: Mapping[str, Any]) -> DocumentItem:
        """Return the item without unknown fields, which a document of a later version or of a stranger may have."""
        known = RESOURCES[kind].known_fields
        self.unknown_fields |= {(kind, name) for name in value if name not in known}
        return DocumentItem(kind, index, {name: each for name, each in value.items() if name in known})

    def add_texts(self, kind: str, saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
        """Plan to replace the texts of a kind if one differs."""
        different = changed_settings(kind, saved, current)
        if not different:
            self.reports.append({"kind": kind, "name": "", "do": "same"})
            return
        args = {name: value for name, value in {**current, **saved}.items() if value is not None}
        try:
            args = self._validate(TEXT_OPERATIONS[kind], args, (kind,))
        except InvalidArguments as error:
            self._faults.append(error)
            return
        self._add(StepGroup(kind, (PlanStep(kind, TEXT_OPERATIONS[kind], args),)), 0, [])
        self._add_changes(kind, "", different, current=current, saved=saved)
        self.reports.append({"kind": kind, "name": "", "do": "update"})

    def _add(self, group: StepGroup, phase: int, dependencies: list[str]) -> None:
        self.groups.append(group)
        self.phase_sizes[phase] += 1
        if dependencies:
            self.dependencies[group.name] = dependencies

    def _plan_item(self, item: DocumentItem, current: CurrentItems) -> tuple[PlanStep | None, Message | None]:
        """Return the step that an item needs, or the reason why it is left; neither if it is equal already."""
        if REMOVED in compact_json(item.value):
            return None, message("jobs_settings.redacted")
        if item.name in current.duplicates:
            return None, message("jobs_settings.duplicate_name")
        if item.name not in current.raw:
            step = self._build_step(item, item.spec.create, item.spec.create_arguments(item.value))
            self._creating[item.kind, item.name] = step
            return step, None
        different = changed_settings(item.kind, item.value, current.normalized[item.name])
        return self._plan_update(item, current, different) if different else (None, None)

    def _plan_update(
        self, item: DocumentItem, current: CurrentItems, different: Sequence[str]
    ) -> tuple[PlanStep | None, Message | None]:
        raw, fields = current.raw[item.name], tuple(map(_label, different))
        if not self._update:
            return None, message("jobs_settings.update_not_requested", fields=fields)
        if immutable := tuple(_label(name) for name in different if name not in item.spec.mutable_fields):
            return None, message("jobs_settings.immutable", fields=immutable)
        if item.spec.locked_when_used and raw.get("used"):
            return None, message("jobs_settings.in_use", fields=fields)
        normalized = current.normalized[item.name]
        self._add_changes(item.kind, item.name, different, current=normalized, saved=item.value)
        return self._build_step(item, item.spec.update, item.spec.update_arguments(item.value, raw)), None

    def _add_changes(
        self, kind: str, name: str, fields: Sequence[str], *, current: Mapping[str, Any], saved: Mapping[str, Any]
    ) -> None:
        for each in fields:
            for before, after, path in _differing_values(current.get(each), saved.get(each), each):
                self.changes.append(SettingChange(kind, name, path, before, after, saved))

    def _build_step(self, item: DocumentItem, operation: str, args: dict[str, Any]) -> PlanStep:
        """Return the call for an item, with the ids of the items that it refers to, or the steps that supply them."""
        from_steps: dict[str, tuple[str, str]] = {}
        for field_name, (kind, argument) in item.spec.references.items():
            names = enumerate(item.value.get(field_name, []))
            ids = [self._resolve(kind, name, (*item.path, field_name, index)) for index, name in names]
            args[argument] = [UNKNOWN_ID if isinstance(each, PlanStep) else each for each in ids]
            from_steps |= {
                f"{argument}.{index}": (each.step, "id") for index, each in enumerate(ids) if isinstance(each, PlanStep)
            }
        args = self._validate(operation, args, item.path)
        lookup = _answer_lookup(item) if operation == item.spec.create else None
        return PlanStep(f"{item.kind}/{item.index + 1}", operation, args, from_steps, lookup)

    def _resolve(self, kind: str, name: str, path: JsonPath) -> str | PlanStep:
        """Return the id of an item that another one refers to, or the step that creates it.

        Raises:
            InvalidArguments: there is no such item, or there are several.
        """
        step, current = self._creating.get((kind, name)), self._current.get(kind, CurrentItems())
        if step is not None:
            return step
        if name in current.raw:
            return str(current.raw[name]["id"])
        if (kind, name) in self._faulty:  # one fault, reported once
            return UNKNOWN_ID
        key = "jobs_settings.ambiguous_name" if name in current.duplicates else "jobs_settings.unresolved_name"
        raise self._invalid(path, message(key, name=Quoted(name), kind=one_of("jobs_settings.kind", kind)))

    def _dependencies_of(self, item: DocumentItem) -> list[str]:
        """Return the groups that create the items that this one refers to."""
        names = [
            (kind, name) for field, (kind, _) in item.spec.references.items() for name in item.value.get(field, [])
        ]
        names.append(("metering_units", item.value.get("metering_unit_name")))
        return [f"{kind} {name}" for kind, name in names if (kind, name) in self._creating]

    async def _read_current(self, kind: str) -> CurrentItems:
        """Return the current items of a kind. Read the kinds that it refers to as well."""
        for other in [*(other for other, _ in RESOURCES[kind].references.values()), kind]:
            if other not in self._current:
                answer = await self._reader.read(SETTINGS_KINDS[other].reads[""], take=lambda answer: answer)
                self._current[other] = _current_items(other, answer)
        return self._current[kind]

    def _validate(self, operation: str, args: Mapping[str, Any], path: JsonPath) -> dict[str, Any]:
        try:
            return self._reader.validate_arguments(operation, args)
        except InvalidArguments as error:
            raise self._invalid(path, message("jobs_settings.item_fault", fault=error)) from None

    def _invalid(self, path: JsonPath, problem: Message) -> InvalidArguments:
        return InvalidArguments(
            (self._argument, "settings", *path), problem, message("jobs_settings.fix_document_hint")
        )


def _label(field: str) -> Text:
    return load_question_texts().field("", field).label


def _current_items(kind: str, answer: Mapping[str, Any]) -> CurrentItems:
    items, spec = CurrentItems(), SETTINGS_KINDS[kind]
    normalized = {str(item[spec.key]): item for item in spec.normalize(answer)}
    for item in answer.get(spec.items) or ():
        name = str(item[spec.key])
        if name in items.raw:
            items.duplicates.add(name)
        items.raw[name], items.normalized[name] = item, normalized[name]
    for name in items.duplicates:
        del items.raw[name]
    return items


def _differing_values(before: Any, after: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            if before.get(name) != after.get(name):
                yield from _differing_values(before.get(name), after.get(name), f"{path}.{name}")
    else:
        yield before, after, path


def _answer_lookup(item: DocumentItem) -> AnswerLookup | None:
    """Return how to find a created item whose id other items need."""
    if item.kind not in {kind for spec in RESOURCES.values() for kind, _ in spec.references.values()}:
        return None
    kind = SETTINGS_KINDS[item.kind]
    return AnswerLookup(kind.reads[""], {}, kind.items, {"name": item.name})

"""What a SaaS still lacks of a document of settings, as the steps of a plan, and what is left as it is and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.catalog.model import Text
from saasus_mcp.jobs.difference import changed
from saasus_mcp.jobs.making import MAKERS, TEXTS, Maker
from saasus_mcp.jobs.plan import Entry, Find, Row
from saasus_mcp.jobs.settings import KINDS
from saasus_mcp.jobs.settings_question import Changed
from saasus_mcp.jobs.work import Reader
from saasus_mcp.saasus.answer import compact
from saasus_mcp.saasus.places import InvalidArguments, Place
from saasus_mcp.saasus.secrets import REMOVED
from saasus_mcp.saasus.words import quoted

LATER = "later"
"""Holds the place of an id in a list until it is known."""
Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the document."""

    kind: str
    number: int
    value: Mapping[str, Any]

    @property
    def maker(self) -> Maker:
        """How such items are made."""
        return MAKERS[self.kind]

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.value[KINDS[self.kind].key])

    @property
    def place(self) -> Place:
        """Where it stands among the settings."""
        return self.kind, self.number


@dataclass(slots=True)
class Live:
    """The present items of a kind by name, and those as the document would hold them; of two of one name, neither."""

    raw: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    tidied: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)


class SetUp:
    """Collects the steps.

    Args:
        argument: by which the document came.
        update: whether what is there and different is changed, where it can be.
    """

    def __init__(self, reader: Reader, argument: str, *, update: bool) -> None:
        self.rows: list[Row] = []
        self.told: list[Told] = []
        self.left: list[tuple[Item, Text]] = []
        self.changed: list[Changed] = []
        self.unknown: set[tuple[str, str]] = set()
        self.needs: dict[str, list[str]] = {}
        self.phases: list[int] = [0, 0, 0, 0]
        self._reader = reader
        self._argument = argument
        self._update = update
        self._live: dict[str, Live] = {}
        self._making: dict[tuple[str, str], Entry] = {}

    async def take(self, kind: str, items: Sequence[Mapping[str, Any]]) -> None:
        """Plan the items of one kind, after those that it is made of."""
        live = await self._present(kind)
        for number, value in enumerate(items):
            item = self._item(kind, number, value)
            entry, why = self._step(item, live)
            told: Told = {"kind": kind, "name": item.name, "do": "leave" if why else "same"}
            if entry is not None:
                told["do"] = "create" if entry.operation == item.maker.create else "update"
                self._add(Row(f"{kind} {item.name}", (entry,)), item.maker.phase, self._needed(item))
            if why is not None:
                self.left.append((item, why))
            self.told.append({**told, **({"why": why.en} if why else {})})

    def _item(self, kind: str, number: int, value: Mapping[str, Any]) -> Item:
        """An item by its known fields: a document may be of a later version, or from a stranger."""
        known = MAKERS[kind].known
        self.unknown |= {(kind, name) for name in value if name not in known}
        return Item(kind, number, {name: each for name, each in value.items() if name in known})

    def text(self, kind: str, saved: Mapping[str, Any], live: Mapping[str, Any]) -> None:
        """Plan to overwrite the texts of a kind, where one is different."""
        different = changed(kind, saved, live)
        if not different:
            self.told.append({"kind": kind, "name": "", "do": "same"})
            return
        args = {name: value for name, value in {**live, **saved}.items() if value is not None}
        args = self._understood(TEXTS[kind], args, (kind,))
        self._add(Row(kind, (Entry(kind, TEXTS[kind], args),)), 0, [])
        self._differs(kind, "", different, live, saved)
        self.told.append({"kind": kind, "name": "", "do": "update"})

    def _add(self, row: Row, phase: int, needs: list[str]) -> None:
        self.rows.append(row)
        self.phases[phase] += 1
        if needs:
            self.needs[row.name] = needs

    def _step(self, item: Item, live: Live) -> tuple[Entry | None, Text | None]:
        """The step that an item needs, or why it is left; neither where it is there already."""
        if REMOVED in compact(item.value):
            return None, Text("a part of it is redacted", "一部が伏せられています")
        if item.name in live.twice:
            return None, Text("several are called so here", "同じ名前のものが複数あります")
        if item.name not in live.raw:
            entry = self._entry(item, item.maker.create, item.maker.arguments(item.value))
            self._making[item.kind, item.name] = entry
            return entry, None
        different = changed(item.kind, item.value, live.tidied[item.name])
        return self._change(item, live.raw[item.name], different) if different else (None, None)

    def _change(
        self, item: Item, present: Mapping[str, Any], different: Sequence[str]
    ) -> tuple[Entry | None, Text | None]:
        which = ", ".join(different)
        if not self._update:
            return None, Text(
                f"it is different here ({which}); update was not asked for",
                f"異なります({which})。変更は指定されていません",
            )
        fixed = [name for name in different if name not in item.maker.changes]
        if fixed:
            return None, Text(
                f"nothing changes its {', '.join(fixed)}", f"{', '.join(fixed)}を変更する手段がありません"
            )
        if item.maker.frozen and present.get("used"):
            return None, Text(
                f"it is different here ({which}), but in use and so frozen",
                f"異なります({which})が、使用中のため変更できません",
            )
        self._differs(item.kind, item.name, different, self._live[item.kind].tidied[item.name], item.value)
        return self._entry(item, item.maker.update, item.maker.present(item.value, present)), None

    def _differs(
        self, kind: str, name: str, fields: Sequence[str], live: Mapping[str, Any], saved: Mapping[str, Any]
    ) -> None:
        """Note what is changed, field by field, and where a field holds others, by those."""
        for field_ in fields:
            for before, after, path in _pairs(live.get(field_), saved.get(field_), field_):
                self.changed.append(Changed(kind, name, path, before, after, saved))

    def _entry(self, item: Item, operation: str, args: dict[str, Any]) -> Entry:
        """The call for an item, with the ids of what it is made of, or where they come from."""
        later: dict[str, tuple[str, str]] = {}
        for names, (other, argument) in item.maker.refers.items():
            listed = enumerate(item.value.get(names, []))
            ids = [self._id(other, name, (*item.place, names, number)) for number, name in listed]
            args[argument] = [LATER if isinstance(each, Entry) else each for each in ids]
            later |= {f"{argument}.{at}": (each.step, "id") for at, each in enumerate(ids) if isinstance(each, Entry)}
        args = self._understood(operation, args, item.place)
        find = _find(item) if operation == item.maker.create else None
        return Entry(f"{item.kind}/{item.number + 1}", operation, args, later, find)

    def _id(self, kind: str, name: str, place: Place) -> str | Entry:
        """The id of an item that another is made of, or the step that makes it.

        Raises:
            InvalidArguments: it is neither here nor to be made, or there are several.
        """
        made, live = self._making.get((kind, name)), self._live.get(kind, Live())
        if made is not None:
            return made
        if name in live.raw:
            return str(live.raw[name]["id"])
        said = "several are" if name in live.twice else "nothing is"
        raise self._invalid(place, f"{said} called {quoted(name)} among the {kind} here and to be made.")

    def _needed(self, item: Item) -> list[str]:
        """The rows without which this one is not begun: those that make what it is made of."""
        names = [(other, name) for of, (other, _) in item.maker.refers.items() for name in item.value.get(of, [])]
        names.append(("metering_units", item.value.get("metering_unit_name")))
        return [f"{other} {name}" for other, name in names if (other, name) in self._making]

    async def _present(self, kind: str) -> Live:
        """What is there of a kind, and of the kinds that it is made of."""
        for other in [*(other for other, _ in MAKERS[kind].refers.values()), kind]:
            if other not in self._live:
                raw = await self._reader.read(KINDS[other].reads[""], take=lambda answer: answer)
                self._live[other] = _live(other, raw)
        return self._live[kind]

    def _understood(self, operation: str, args: Mapping[str, Any], place: Place) -> dict[str, Any]:
        try:
            return self._reader.understood(operation, args)
        except InvalidArguments as error:
            raise self._invalid(place, error.message) from None

    def _invalid(self, place: Place, message: str) -> InvalidArguments:
        return InvalidArguments((self._argument, "settings", *place), message, "Correct the document.")


def _live(kind: str, answer: Mapping[str, Any]) -> Live:
    found, of = Live(), KINDS[kind]
    tidied = {str(item[of.key]): item for item in of.tidied(answer)}
    for item in answer.get(of.items) or ():
        name = str(item[of.key])
        if name in found.raw:
            found.twice.add(name)
        found.raw[name], found.tidied[name] = item, tidied[name]
    for name in found.twice:
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


def _find(item: Item) -> Find | None:
    """How to find what was made, where others need its id."""
    if item.kind not in {other for maker in MAKERS.values() for other, _ in maker.refers.values()}:
        return None
    of = KINDS[item.kind]
    return Find(of.reads[""], {}, of.items, {"name": item.name})

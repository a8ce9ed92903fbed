"""Others with the name of an item in a question: a name alone does not say which one is meant, and most items can take any name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

import anyio
import anyio.lowlevel

from saasus_mcp.catalog.question_texts import NameList, load_question_texts
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.text import Quoted, fold_lookalikes
from saasus_mcp.permissions.inspection.impact import READ_DEADLINE
from saasus_mcp.permissions.inspection.target import ApiReader, clean_name
from saasus_mcp.permissions.question.content import Question, QuestionWarning
from saasus_mcp.permissions.question.facts import QuestionInput

BATCH_SIZE = 500
"""Items whose names are compared at once."""
MAX_WARNINGS = 3
"""Items that a question warns of: more lines would take the place of other facts."""


@dataclass(frozen=True, slots=True)
class Namesakes:
    """An item, and the number of others of its kind that have its name."""

    kind: str
    id: str
    name: str
    count: int

    @property
    def text(self) -> Text:
        """The warning, with the id of the item."""
        name, id_ = Quoted(self.name), Quoted(self.id, bare=True)
        return one_of("question.namesakes", self.kind, name=name, count=self.count, id=id_).both()


def namesake_texts(found: Sequence[Namesakes]) -> list[Text]:
    """Return the warnings of the first items, and the number of the others."""
    texts = [each.text for each in found[:MAX_WARNINGS]]
    left = len(found) - MAX_WARNINGS
    return texts if left <= 0 else [*texts, message("question.more_namesakes", count=left).both()]


async def warn_of_namesakes(question: Question, asked: QuestionInput, read: ApiReader) -> Question:
    """Return the question, with the id of each item in a warning if others of its kind have the same name."""
    found = await NamesakeFinder().find(asked, read)
    if not found:
        return question
    warnings = [QuestionWarning("deceptive", text) for text in namesake_texts(found)]
    return replace(question, warnings=(*warnings, *question.warnings))


class NamesakeFinder:
    """Finds others with the names of items. It looks through each list once, for all calls that it is asked about."""

    def __init__(self) -> None:
        self._lists: dict[str, _NamedItems] = {}

    async def find(self, asked: QuestionInput, read: ApiReader) -> list[Namesakes]:
        """Return the items of a call whose names others have.

        Lists that cannot be read give none: the caller may not see them, or the question says by itself what is unreadable.
        """
        if asked.inspection.snapshot.read_error or asked.inspection.snapshot.missing:
            return []
        found: list[Namesakes] = []
        kinds = load_question_texts().kinds
        for kind, ids in _shown_ids(asked).items():
            among = kinds[kind].among
            if among is not None:
                items = await self._items(among, asked, read)
                found += [Namesakes(kind, *each) for each in items.namesakes_of(ids)]
        return found

    async def _items(self, among: NameList, asked: QuestionInput, read: ApiReader) -> _NamedItems:
        wanted = asked.evaluate_each(among.args)
        key = compact_json([among.read, wanted])
        if key not in self._lists:
            self._lists[key] = await _read_items(among, wanted, read)
        return self._lists[key]


def _shown_ids(asked: QuestionInput) -> dict[str, set[str]]:
    """Return the ids of the target and of the items that arguments refer to, by their kind, as far as names of it repeat."""
    kinds = {kind: source for kind, source in load_question_texts().kinds.items() if source.among is not None}
    target, ids = asked.operation.effects.target, defaultdict[str, set[str]](set)
    if target is not None:
        argument = next(iter(target.identifying[-1:]), "")
        for kind in (kind for kind, source in kinds.items() if argument and source.read == target.read):
            ids[kind].add(str(asked.arguments.get(argument, "")))
    for name, value in asked.arguments.items():
        kind = load_question_texts().field(asked.operation.key, name).kind
        if kind in kinds:
            ids[kind] |= {str(each) for each in (value if isinstance(value, list) else [value])}
    return ids


async def _read_items(among: NameList, arguments: Mapping[str, Any], read: ApiReader) -> _NamedItems:
    """Return the items of a list; none if it cannot be read in time."""
    listed: Any = ()
    with anyio.move_on_after(READ_DEADLINE):
        try:
            answer = (await read(among.read, arguments)).answer
        except SaasusMcpError:
            return _NamedItems()
        listed = answer.get(among.items) if isinstance(answer, dict) else ()
    items = _NamedItems()
    for number, each in enumerate(listed if isinstance(listed, list) else ()):
        if number % BATCH_SIZE == 0:
            await anyio.lowlevel.checkpoint()  # a SaaS can have many tenants, and other calls go on meanwhile
        if isinstance(each, dict):
            items.add(each, among)
    return items


class _NamedItems:
    """The items of one list by their ids, with the number of the names that readers take for one."""

    def __init__(self) -> None:
        self._by_id: dict[str, list[int]] = {}
        self._named: list[tuple[str, str]] = []
        self._seen = Counter[str]()

    def add(self, item: Mapping[str, Any], among: NameList) -> None:
        name = clean_name(next((item[field] for field in among.name if item.get(field)), ""))
        self._seen[fold_lookalikes(name)] += 1
        for id_ in {str(item.get(among.id)), str(item.get("id"))}:
            self._by_id.setdefault(id_, []).append(len(self._named))
        self._named.append((str(item.get(among.id)), name))

    def namesakes_of(self, ids: AbstractSet[str]) -> list[tuple[str, str, int]]:
        """Return id and name of the items with one of these ids, in the order of the list, and how many others have the name."""
        numbers = sorted({number for id_ in ids for number in self._by_id.get(id_, ())})
        named = [(*self._named[number], self._seen[fold_lookalikes(self._named[number][1])] - 1) for number in numbers]
        return [each for each in named if each[1] and each[2]]

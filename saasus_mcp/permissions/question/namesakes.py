"""Others with the name of an item in a question: a name alone does not say which one is meant, and most items can take any name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel

from saasus_mcp.catalog.expressions import evaluate_each
from saasus_mcp.catalog.question_texts import NameList, load_question_texts
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import one_of
from saasus_mcp.common.text import Quoted, fold_name
from saasus_mcp.permissions.inspection.impact import READ_DEADLINE
from saasus_mcp.permissions.inspection.target import ApiReader, clean_name
from saasus_mcp.permissions.question.builder import QuestionInput
from saasus_mcp.permissions.question.content import Question, QuestionWarning
from saasus_mcp.permissions.question.layout import fit_dialog

BATCH_SIZE = 500
"""Items whose names are compared at once."""
MAX_WARNINGS = 3
"""Items that a question warns of: more lines would take the place of other facts."""


async def warn_of_namesakes(question: Question, asked: QuestionInput, read: ApiReader) -> Question:
    """Return the question, with the id of each item in a warning if others of its kind have the same name.

    Lists that cannot be read give no warning: the caller may not see them, or the question says by itself what is unreadable.
    """
    if asked.inspection.snapshot.read_error or asked.inspection.snapshot.missing:
        return question
    warnings: list[QuestionWarning] = []
    kinds = load_question_texts().kinds
    for kind, ids in _shown_ids(asked).items():
        among = kinds[kind].among
        for id_, name, count in await _find_namesakes(among, ids, asked.args, read) if among is not None else ():
            text = one_of("question.namesakes", kind, name=Quoted(name), count=count, id=Quoted(id_, bare=True))
            warnings.append(QuestionWarning("deceptive", text.both()))
    if not warnings:
        return question
    return fit_dialog(replace(question, warnings=(*warnings[:MAX_WARNINGS], *question.warnings)))


def _shown_ids(asked: QuestionInput) -> dict[str, set[str]]:
    """Return the ids of the target and of the items that arguments refer to, by their kind, as far as names of it repeat."""
    kinds = {kind: source for kind, source in load_question_texts().kinds.items() if source.among is not None}
    target, ids = asked.operation.effects.target, defaultdict[str, set[str]](set)
    if target is not None:
        argument = next(iter(target.identifying[-1:]), "")
        for kind in (kind for kind, source in kinds.items() if argument and source.read == target.read):
            ids[kind].add(str(asked.args.get(argument, "")))
    for name, value in asked.args.items():
        kind = load_question_texts().field(asked.operation.key, name).kind
        if kind in kinds:
            ids[kind] |= {str(each) for each in (value if isinstance(value, list) else [value])}
    return ids


async def _find_namesakes(
    among: NameList, ids: AbstractSet[str], args: Mapping[str, Any], read: ApiReader
) -> list[tuple[str, str, int]]:
    """Return the id and the name of each item, and how many others have it in any spelling that readers take for it."""
    listed: Any = ()
    with anyio.move_on_after(READ_DEADLINE):
        try:
            answer = (await read(among.read, evaluate_each(among.args, {"args": dict(args)}))).answer
        except SaasusMcpError:
            return []
        listed = answer.get(among.items) if isinstance(answer, dict) else ()
    named: list[tuple[str, str]] = []
    spelt = Counter[str]()
    for number, each in enumerate(listed if isinstance(listed, list) else ()):
        if number % BATCH_SIZE == 0:
            await anyio.lowlevel.checkpoint()  # a SaaS can have many tenants, and other calls go on meanwhile
        if not isinstance(each, dict):
            continue
        name = clean_name(next((each[field] for field in among.name if each.get(field)), ""))
        spelt[fold_name(name)] += 1
        if ids & {str(each.get(among.id)), str(each.get("id"))}:
            named.append((str(each.get(among.id)), name))
    return [(id_, name, spelt[fold_name(name)] - 1) for id_, name in named if name and spelt[fold_name(name)] > 1]

"""The question of a list of calls: by operation what happens to whom, before and after, sums, and consequences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from saasus_mcp.catalog.levels import READ_LEVELS, TYPED_LEVELS
from saasus_mcp.catalog.model import Operation
from saasus_mcp.catalog.question_texts import load_question_texts
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import Localized, Message, message, one_of
from saasus_mcp.common.text import fold_lookalikes
from saasus_mcp.jobs.calls.listed_call import ListedCall
from saasus_mcp.jobs.calls.price_totals import PriceTotals
from saasus_mcp.jobs.job_question import counted, fixed_text, leading_name, name_text, people_count, value_list
from saasus_mcp.permissions.inspection.target import ReadFailure, is_whole_name
from saasus_mcp.permissions.question.content import (
    DescribedItem,
    Detail,
    Fact,
    FixedText,
    LabelledValue,
    NamedItem,
    NoValue,
    Question,
    QuestionWarning,
    QuotedText,
    Sentence,
    Transition,
    UnresolvedId,
    Value,
    ValueList,
)
from saasus_mcp.permissions.question.formatting import Reader, format_sentence
from saasus_mcp.permissions.question.namesakes import Namesakes, namesake_texts
from saasus_mcp.server.pipeline.job_grants import fill_placeholders

MAX_STORED_CALLS = 500
"""Calls of a list, all of which are stored with the question."""
GRAVITY = ("critical", "destructive", "write_sensitive", "write")
"""Levels, the gravest first."""
TELLING_FACTS = frozenset({"tenant", "roles_offered", "comment_body", "key_env"})
"""Facts about a target, read before the call, that say which one it is."""
OWN_WARNINGS = frozenset({"money", "email", "outside"})
"""Kinds of warning that the question of every job has by itself."""


class CallsQuestion:
    """The question of a list of calls.

    Args:
        left_out: rows that are left out: because of faults, or changes that are not undone.
        unchanged: rows that would change nothing.
    """

    def __init__(self, listed: Sequence[ListedCall], totals: PriceTotals, *, left_out: int, unchanged: int) -> None:
        self._listed = listed
        self._totals = totals
        self._left_out, self._unchanged = left_out, unchanged
        self._undoes = any(each.step.undoes is not None for each in listed)
        self._by_step = {each.step.step: each for each in listed}
        self._new_items = {each.new_item: each for each in listed if each.new_item is not None}
        self._shared_names = _shared_names(listed)
        self._targets = {(each.target, _target_id(each)) for each in listed}
        groups: dict[str, list[ListedCall]] = defaultdict(list)
        for each in listed:
            groups[each.step.operation].append(each)
        self._groups = sorted(groups.values(), key=lambda group: GRAVITY.index(group[0].review.operation.level))

    @property
    def headline(self) -> Text:
        """The title of the only operation with the number of targets, or the number of calls and operations, and their only target."""
        target = self._only_target if is_whole_name(self._only_target) else ""
        if len(self._groups) == 1:
            known: dict[str, Localized] = {"title": self._groups[0][0].review.operation.title, "count": self._count()}
            if target:
                return message("jobs_calls.headline_one_target", target=name_text(target), **known).both()
            return message("jobs_calls.headline_one", **known).both()
        numbers = {"operations": len(self._groups), "count": len(self._listed)}
        if target:
            return message("jobs_calls.headline_target", target=leading_name(target), **numbers).both()
        return message("jobs_calls.headline_many", **numbers).both()

    @property
    def typed(self) -> Text:
        """What a person types: how many, and of what."""
        return self._count().both()

    @property
    def undo(self) -> Text | None:
        undoable = sum(each.review.question.undo is not None for each in self._listed)
        if not undoable:
            return None
        every = len(self._listed)
        key = "jobs_calls.undo_all" if undoable == every else "jobs_calls.undo_some"
        return message(key, count=undoable, total=every).both()

    def facts(self) -> Iterator[Fact]:
        """Yield the sums, then by operation the targets and what happens to each."""
        yield from self._totals.facts
        for number, group in enumerate(self._groups):
            yield from self._group_facts(group, lead=number == 0)
        if self._unchanged:
            yield Fact("unchanged", _label("unchanged"), counted(self._unchanged, "jobs_users.rows"))

    def volatile_facts(self) -> Iterator[Fact]:
        """Yield how many people the destructive and critical calls reach, in all and by target."""
        grave = [each for each in self._listed if each.review.operation.level in TYPED_LEVELS]
        first = {_person(each): each for each in reversed(grave)}  # a person whom several calls concern counts once
        known = [(each, each.review.inspection.impact.affected_users) for each in grave if first[_person(each)] is each]
        if any(count for _, count in known):
            items: list[Value] = [people_count(sum(count or 0 for _, count in known))]
            if not self._only_target:
                items += [LabelledValue(self._target_text(each), people_count(count)) for each, count in known if count]
            yield Fact("people", _label("people"), value_list(items, MAX_STORED_CALLS + 1), lead=True)
        unknown = sum(
            count is None and isinstance(each.review.operation.effects.affects_users, str) for each, count in known
        )
        if unknown:
            yield Fact("people_unknown", _label("people_unknown"), counted(unknown, "jobs_users.rows"), lead=True)

    def warnings(self) -> Iterator[QuestionWarning]:
        """Yield each warning of the single calls once, with the rows that are left out."""
        if self._left_out:
            reported = "jobs_calls.not_undone" if self._undoes else "jobs_calls.left_out"
            yield QuestionWarning("consequence", message(reported, count=self._left_out).both())
        ambiguous = sum(bool(self._namesakes(each)) for each in self._listed)
        if ambiguous:
            yield QuestionWarning("deceptive", message("jobs_calls.namesakes", count=ambiguous).both())
        seen = set[tuple[str, str]]()
        for each in self._listed:
            for warning in each.review.question.warnings:
                text = warning.text
                if warning.kind == "unseen" and each.is_of_new_item:
                    continue  # an earlier call creates it, as the item says
                if warning.kind in OWN_WARNINGS or isinstance(text, Sentence) or (warning.kind, text.en) in seen:
                    continue
                seen.add((warning.kind, text.en))
                yield warning

    def details(self) -> Iterator[Detail]:
        """Yield every call with its arguments, secrets hidden, and the calls that it takes values from."""
        for each in self._listed:
            args = each.review.redacted_arguments()
            sources = {place: f"$from {step}.{name}" for place, (step, name) in each.step.from_steps.items()}
            shown = fill_placeholders(args, sources)
            yield Detail(f"{each.row} {each.step.step} {each.review.operation.tool}", compact_json(shown))

    @property
    def _only_target(self) -> str:
        """The name of the target of all calls; empty if they have several, or one without a name."""
        return next(iter(self._targets))[0] if len(self._targets) == 1 else ""

    def _count(self) -> Message:
        """Return the number of tenants or users if each call is about another one, else of calls."""
        operations = {each.review.operation for each in self._listed}
        each_once = len(operations) == 1 and len(self._targets) == len(self._listed)
        kind = _kind(next(iter(operations))) if each_once else "calls"
        return one_of("jobs_calls.count", kind, count=len(self._listed))

    def _group_facts(self, group: Sequence[ListedCall], *, lead: bool) -> Iterator[Fact]:
        """Yield one list of the targets, each with what happens to it unless the same happens to all."""
        operation = group[0].review.operation
        headlines = self._has_headlines(group)
        parts = [self._parts(each, headlines=headlines) for each in group]
        common = parts[0] if len(group) > 1 and all(each == parts[0] for each in parts) else ()
        items = [self._item(each, own, common) for each, own in zip(group, parts, strict=True)]
        yield Fact(operation.tool, operation.title, value_list(items, MAX_STORED_CALLS), lead=lead)
        for number, part in enumerate(common):
            label, value = (part.label, part.value) if isinstance(part, LabelledValue) else (operation.title, part)
            yield Fact(f"{operation.tool}.{number}", label, value, lead=lead and number == 0)

    def _parts(self, call: ListedCall, *, headlines: bool) -> tuple[Value, ...]:
        """Return what happens to the target of a call: changes, arguments, prices, and warnings with values."""
        question, key = self._with_sources(call), call.review.operation.key
        texts = load_question_texts()
        parts: list[Value] = []
        heading = call.target_argument if call.target_argument in call.step.from_steps else ""

        def is_repeated(fact: Fact) -> bool:
            return fact.name == heading or (fact.name == "tenant" and "tenant_id" in listed)

        listed = {"target", *(fact.name for fact in question.facts if fact.name in call.review.arguments)}
        if headlines:
            parts.append(FixedText(_rendered(question.headline)))
        elif isinstance(question.headline, Sentence):
            parts += [
                LabelledValue(texts.field(key, name).label, value)
                for name, value in question.headline.values
                if name not in listed and not isinstance(value, NoValue)
            ]
        for change in question.changes:
            if change.name == "next_plan_id" and call.step.step in self._totals.complete:
                continue  # the line with the prices names both plans
            if change.effect == "change":
                parts.append(LabelledValue(change.label, Transition(change.before, change.after)))
            else:
                effect = one_of("jobs_calls.effect", change.effect).both()
                parts.append(LabelledValue(change.label, Transition(change.before, FixedText(effect))))
        parts += [
            LabelledValue(fact.label, fact.value)
            for fact in question.facts
            if (fact.name in call.review.arguments or fact.name in TELLING_FACTS) and not is_repeated(fact)
        ]
        if call.step.step in self._totals.by_step:
            parts.append(self._totals.by_step[call.step.step])
        parts += [
            FixedText(_clause(_rendered(warning.text)))
            for warning in question.warnings
            if isinstance(warning.text, Sentence)
        ]
        parts += [FixedText(_clause(text)) for text in namesake_texts(self._namesakes(call))]
        return tuple(parts)

    def _with_sources(self, call: ListedCall) -> Question:
        """Return the question of a call, with the earlier calls in place of the values that they will give."""
        question = call.review.question
        places = {text: place for place, text in call.step.placeholders().items()}

        def told(name: str, value: Value) -> Value:
            if isinstance(value, ValueList):
                return replace(value, items=tuple(told(name, each) for each in value.items))
            if isinstance(value, LabelledValue):
                return replace(value, value=told(name, value.value))
            if isinstance(value, UnresolvedId) and value.why == ReadFailure.NOT_FOUND:
                kind = load_question_texts().field(call.review.operation.key, name).kind
                kinds = ("role", "env") if kind == "pairs" else (kind,)
                new = next((new for each in kinds if (new := self._new_items.get((each, value.id)))), None)
                return value if new is None else fixed_text(_new_item(new))
            place = places.get(_raw(value), "")
            is_own = name in ("target", place.partition(".")[0])  # a text of another argument may be the same
            return fixed_text(self._source(call, place)) if place and is_own else value

        headline = question.headline
        if isinstance(headline, Sentence):
            headline = replace(headline, values=tuple((name, told(name, value)) for name, value in headline.values))
        return replace(
            question,
            headline=headline,
            facts=tuple(replace(fact, value=told(fact.name, fact.value)) for fact in question.facts),
            changes=tuple(replace(change, after=told(change.name, change.after)) for change in question.changes),
        )

    def _source(self, call: ListedCall, place: str) -> Message:
        """Return the earlier call that gives a value: its row, and the name of what it creates."""
        return _new_item(self._by_step[call.step.from_steps[place][0]])

    def _namesakes(self, call: ListedCall) -> list[Namesakes]:
        """Return the items of a call whose names others have, without a target that stands with its id."""
        stated = _target_id(call) if call.target in self._shared_names else None
        return [each for each in call.review.namesakes if each.id != stated]

    def _has_headlines(self, group: Sequence[ListedCall]) -> bool:
        """Return whether the title of the operation does not say what its calls do.

        The calls do different things, or one of several that the operation can do, such as to turn a setting on or off.
        For a change of plans, the line with the prices says it.
        """
        templates = Counter(
            headline.template if isinstance(headline, Sentence) else headline
            for headline in (each.review.question.headline for each in group)
        )
        recipe = load_question_texts().rows[group[0].review.operation.key]
        shown = all(each.step.step in self._totals.complete for each in group)
        return len(templates) > 1 or (len(recipe.ask) > 1 and not shown)

    def _item(self, call: ListedCall, own: tuple[Value, ...], common: tuple[Value, ...]) -> Value:
        """Return a target with what happens to it, unless the same happens to all."""
        if not is_whole_name(call.target):
            return DescribedItem(self._target_text(call), own or (NamedItem(call.target),))
        if call.target and own == common:
            shared = call.target in self._shared_names
            return FixedText(self._target_text(call)) if shared else NamedItem(call.target)
        return DescribedItem(self._target_text(call), own) if own else FixedText(self._target_text(call))

    def _target_text(self, call: ListedCall) -> Text:
        """Return the name of a target, with its id if another target of the list has the same name."""
        if not call.target:
            about = call.target_argument
            told = self._source(call, about) if about in call.step.from_steps else None
            return (told or message("jobs_calls.row", row=call.row)).both()
        name = name_text(call.target)
        if call.target not in self._shared_names or not _target_id(call):
            return name
        known = name_text(_target_id(call))  # outside of the quotation marks, where a name could imitate it
        return Text(f"{name.en} ({known.en})", f"{name.ja} ({known.ja})")


def _shared_names(listed: Sequence[ListedCall]) -> frozenset[str]:
    """Return the names that several targets have, as readers see them."""
    ids: dict[str, set[str]] = defaultdict(set)
    for each in listed:
        ids[fold_lookalikes(each.target)].add(_target_id(each))
    return frozenset(each.target for each in listed if len(ids[fold_lookalikes(each.target)]) > 1)


def _target_id(call: ListedCall) -> str:
    """Return the id of the target. Empty for an item that the call creates, and for the whole SaaS."""
    return str(call.review.arguments.get(call.target_argument, ""))


def _new_item(source: ListedCall) -> Message:
    """Return what a call creates: its name, and the row of the call."""
    if not source.created:
        return message("jobs_calls.from_unnamed", row=source.row)
    return message("jobs_calls.from_row", row=source.row, name=name_text(source.created))


def _raw(value: Value) -> str:
    """Return the argument that a value shows, or nothing. The name of an item is no argument if its id is known."""
    match value:
        case QuotedText():
            return value.head
        case UnresolvedId():
            return value.id
        case NamedItem():
            return value.id or value.name
    return ""


def _person(call: ListedCall) -> str:
    """Return the user whom a call concerns, or the call if it concerns another thing."""
    user = call.review.arguments.get("user_id") if "user_id" in call.review.operation.path_parameters else None
    user = call.step.from_steps.get("user_id", user)  # each account that the list creates is a person of its own
    return f"user {user}" if user is not None else call.step.step


def _clause(text: Text) -> Text:
    """Return a sentence as a part of a list, without its full stop."""
    return Text(text.en.removesuffix("."), text.ja.removesuffix("。"))


def _rendered(text: Text | Sentence) -> Text:
    return Text(format_sentence(text, Reader.of("en")), format_sentence(text, Reader.of("ja")))


def _kind(operation: Operation) -> str:
    """Return what the calls of an operation are counted in."""
    paths = operation.path_parameters
    if "user_id" in paths:
        return "users"
    return "tenants" if paths == ("tenant_id",) and operation.level not in READ_LEVELS else "calls"


def _label(name: str) -> Text:
    return one_of("jobs_calls.label", name).both()

"""The facts and changes of a call, of which its question shows some: values with labels, and names in place of ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from saasus_mcp.catalog.expressions import evaluate_over
from saasus_mcp.catalog.question_texts import (
    FieldText,
    MetricText,
    QuestionLine,
    QuestionRecipe,
    QuestionTexts,
    load_question_texts,
)
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.difference import compare_fields, differing_values
from saasus_mcp.permissions.inspection.impact import TARGET_UNREADABLE, ImpactFinding
from saasus_mcp.permissions.inspection.inspect import CallInspection
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.question.content import (
    Change,
    Fact,
    FixedText,
    NamedItem,
    NoValue,
    Quantity,
    UnreadableValue,
    Value,
)
from saasus_mcp.permissions.question.name_resolver import NameResolver
from saasus_mcp.permissions.question.values import ValueFactory, format_decimal, make_quoted_label

PRICED = frozenset({"money", "tiers"})
"""Kinds of value that other fields make another price: the currency and the interval."""
REPORTED_ELSEWHERE = frozenset({"HTTP 404", TARGET_UNREADABLE.read_error})
"""Read errors that the question does not repeat: an absent record, and an unreadable target, which has its own warning."""
EMPTY_ROW = QuestionRecipe(ask=())


@dataclass(frozen=True, slots=True)
class QuestionInput(OperationCall):
    """The input of a question.

    Attributes:
        requester: id of the principal.
        requester_name: name and address of the requester; may be empty.
        reason: of the requester, in their own words.
        typed: whether the person must type the target's name.
        now: epoch seconds, with which times in the arguments are compared.
    """

    destination: Destination
    requester: str
    inspection: CallInspection
    now: float
    reason: str = ""
    typed: bool = False
    requester_name: str = ""


def collect_names(asked: QuestionInput, names: NameResolver) -> None:
    """Tell the resolver which ids the question about a call has. The question itself takes longer."""
    collected = CollectedFacts(asked, load_question_texts(), names)
    collected.facts()
    collected.changes()


class CollectedFacts:
    """The facts and changes of one call.

    Attributes:
        row: what the texts say about the operation.
        shown: the arguments with secrets hidden.
        present: the present values of the arguments: a present amount is in its present currency.
        differences: the changes that the call would make, or None if there is no comparison.
        known: the variables of the conditions of lines.
    """

    def __init__(self, asked: QuestionInput, table: QuestionTexts, names: NameResolver) -> None:
        operation, inspection = asked.operation, asked.inspection
        self.asked = asked
        self.table = table
        self.names = names
        self.row = table.rows.get(operation.key, EMPTY_ROW)
        self.shown = asked.redacted_arguments()
        diff = operation.effects.diff
        self.present = {} if diff is None else asked.evaluate_each(diff.now, result=inspection.before)
        self.differences = compare_fields(asked, inspection.before)
        self.known = {
            "args": dict(asked.arguments),
            "target": inspection.snapshot.target,
            "before": inspection.before,
            "impact": inspection.impact.counts,
            "now": int(asked.now),
        }
        self.make = ValueFactory(self._field, self.names.name_of, frozenset(table.kinds)).make
        self._know_target()

    def facts(self) -> dict[str, Fact]:
        """Return the arguments and what was found about the target, by name."""
        findings = (Fact(each.name, each.label, self._found(each)) for each in self.asked.inspection.impact.findings)
        return {fact.name: fact for fact in (*self._arguments(), *findings)}

    def changes(self) -> tuple[Change, ...]:
        """Return the changes in the order of the recipe, then of the document."""
        return self._ranked(self._changes())

    def holds(self, line: QuestionLine) -> bool:
        """Return whether the condition of a line holds."""
        return not line.when or evaluate_over(line.when, self.known) is True

    def compared(self) -> set[str]:
        """Return the arguments that are shown as changes, or that would change nothing beside others that change something."""
        recipe, inspection = self.asked.operation.effects.diff, self.asked.inspection
        if recipe is None or inspection.before is None:
            return set()
        if self.differences and all(change.effect == "unknown" for change in self.differences):
            return set()  # what is sent is there already, and a person must see it all the same
        return {name for name in recipe.now if name in self.asked.arguments}

    def measured(self, name: str) -> MetricText:
        """Return the texts of a metric."""
        return self.table.measures.get(name, MetricText())

    def _know_target(self) -> None:
        """Remember the target's name, so that it is not read twice."""
        target, arguments = self.asked.operation.effects.target, self.asked.arguments
        if target is None or target.read is None or self.asked.inspection.snapshot.read_error:
            return
        for argument in self.asked.operation.path_parameters:
            kind = self._field(argument).kind
            known = self.table.kinds.get(kind)
            if (
                known is not None
                and target.read in (known.read, *known.also)
                and f"args.{argument}" in target.args.values()
            ):
                self.names.remember(kind, arguments.get(argument), self.asked.inspection.snapshot.name)

    def _field(self, path: str) -> FieldText:
        """Return the texts of a field. Keys of a map may be ids, as those of attributes are."""
        key, (above, _, last) = self.asked.operation.key, path.rpartition(".")
        kind = self.table.field(key, above).keys if above else ""
        if not kind:
            return self.table.field(key, path)
        name = self.names.name_of(kind, last) if kind in self.table.kinds else None
        return FieldText(make_quoted_label(name.name if isinstance(name, NamedItem) else last))

    def _arguments(self) -> Iterator[Fact]:
        shown = self.shown
        for name in self.asked.operation.input_schema["properties"]:
            if name in shown:
                field = self._field(name)
                yield Fact(name, self._label(name, field), self.make(shown[name], field, name, shown))

    def _found(self, found: ImpactFinding) -> Value:
        if found.read_error:
            return NoValue() if found.read_error in REPORTED_ELSEWHERE else UnreadableValue(found.read_error)
        measured = self.measured(found.name)
        field = FieldText(found.label, measured.kind, "", measured.choices, measured.unit, measured.pairs)
        if isinstance(found.value, int) and not isinstance(found.value, bool):
            return Quantity(format_decimal(found.value), measured.unit)
        return self.make(found.raw_value, field, found.name)

    def _changes(self) -> Iterator[Change]:
        for change in self.differences or ():
            if change.field.split(".", 1)[0] in self.row.hide:
                continue
            field = self._field(change.field)
            before, after = differing_values(change.before, change.after, field)
            yield Change(
                change.field,
                self._label(change.field, field),
                self.make(before, field, change.field, self.present),
                self.make(after, field, change.field, self.shown),
                "change" if change.effect == "unshown" else change.effect,
            )
        if self.differences:
            yield from self._repriced({change.field for change in self.differences})
            yield from self._unsent_secrets()

    def _unsent_secrets(self) -> Iterator[Change]:
        """Yield the secrets that are left out. No read shows them, so one may be stored wherever another setting is."""
        operation, before = self.asked.operation, self.asked.inspection.before
        recipe = operation.effects.diff
        if recipe is None or recipe.omitted == "keeps" or not any(self.present.values()):
            return
        for path in sorted(operation.secret_inputs):
            name, _, inner = path.partition(".")
            if name in self.asked.arguments or name in recipe.now or (inner and not before.get(name)):
                continue
            hidden = FixedText(message("question.hidden_value").both())
            yield Change(name, self._field(name).label, hidden, NoValue(), recipe.omitted)

    def _repriced(self, changed: Collection[str]) -> Iterator[Change]:
        """Yield the amounts that stay the same number, but become another price, as in another currency."""
        for name in self.shown:
            field = self._field(name)
            if field.kind not in PRICED or name in changed or name not in self.present:
                continue
            before = self.make(self.present[name], field, name, self.present)
            after = self.make(self.shown[name], field, name, self.shown)
            if before != after:
                yield Change(name, field.label, before, after)

    def _label(self, name: str, field: FieldText) -> Text:
        """Return the label of an argument or a change: that of the field, unless the row has another for what this call does."""
        return next((line.text for line in self.row.relabel.get(name, ()) if self.holds(line)), field.label)

    def _ranked(self, changes: Iterable[Change]) -> tuple[Change, ...]:
        """Return the changes in the order of the recipe, then of the document."""
        weights = {name: at for at, name in enumerate((*self.row.lead, *self.row.show))}
        return tuple(sorted(changes, key=lambda change: weights.get(change.name.split(".", 1)[0], len(weights))))

"""The plan of a list of calls: every call checked, every fault told at once, one question, and the order of the calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.json_tree import iterate_scalars
from saasus_mcp.common.messages import Localized, message
from saasus_mcp.jobs.calls.call_question import CallsQuestion
from saasus_mcp.jobs.calls.candidates import Candidate, StateChanges, collection, frees_name, names_in, order_groups
from saasus_mcp.jobs.calls.entries import CallEntry, too_many_calls
from saasus_mcp.jobs.calls.listed_call import ListedCall
from saasus_mcp.jobs.calls.price_totals import read_price_totals
from saasus_mcp.jobs.calls.references import ReferenceResolver
from saasus_mcp.jobs.calls.row_faults import RowFault, invalid_rows, is_about
from saasus_mcp.jobs.calls.target_names import IdResolver
from saasus_mcp.jobs.job_reader import JobReader, run_concurrently
from saasus_mcp.jobs.plan import Plan, PlanStep
from saasus_mcp.jobs.tables.table_reading import TableReading, reading_data, reading_facts
from saasus_mcp.permissions.inspection.preconditions import NoChange
from saasus_mcp.permissions.inspection.target import target_identity
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.server.pipeline.job_grants import argument_at, fill_placeholders


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What the caller chose.

    Attributes:
        argument: the argument that the list comes from, for errors.
        skip_faulty: leave rows with a fault out, and not refuse the list.
        stop: stop at the first call that fails.
        only_plan: report the plan without running it.
        reading: how the table was read, if the list comes from one.
    """

    argument: str = "calls"
    skip_faulty: bool = False
    stop: bool = False
    only_plan: bool = False
    reading: TableReading | None = None

    @classmethod
    def of(cls, args: Mapping[str, Any], argument: str, reading: TableReading | None = None) -> ListOptions:
        skips, stops = args.get("on_mistake") == "skip", args.get("on_error") == "stop"
        return cls(argument, skips, stops, bool(args.get("only_plan")), reading)


@dataclass(slots=True)
class CallPlanner:
    """Plans one list of calls. `name_column` names the column that an argument comes from, if it comes from one."""

    reader: JobReader
    options: ListOptions
    name_column: Callable[[str], Localized] | None = None
    _faults: list[RowFault] = field(default_factory=list)
    _unchanged_rows: list[dict[str, Any]] = field(default_factory=list)

    def add_fault(self, fault: RowFault) -> None:
        if self.name_column is not None and isinstance(fault.text, SaasusMcpError):
            fault = replace(fault, text=fault.text.with_field(self.name_column))
        self._faults.append(fault)

    def add_unchanged(self, row: int, target: str) -> None:
        reason = message("permissions.no_change").text(self.reader.language)
        self._unchanged_rows.append({"row": row, "target": target, "outcome": "skipped", "why": reason})

    async def plan(self, entries: Sequence[CallEntry]) -> Plan:
        """Return the plan.

        Raises:
            InvalidArguments: calls have faults and are not to be left out, or the policy does not allow such a list.
        """
        limit = self.reader.bulk_limits.max_calls
        if len(entries) > limit:
            raise too_many_calls(len(entries), limit)
        candidates = await self._resolve(entries)
        self._find_duplicates(candidates)
        await self._review(candidates)
        self._leave_out_dependents(candidates)
        if self._faults and not self.options.skip_faulty:
            raise invalid_rows(self._faults, self.options.argument)
        self._defer_critical(candidates)
        faulty = {fault.row for fault in self._faults}
        sound = [each for each in candidates if each.listed is not None and each.entry.row not in faulty]
        listed = [each.listed for each in sound if each.listed is not None]
        self._require_one_critical_operation(listed)
        return await self._build(self._rows(entries, candidates), sound, listed)

    async def _resolve(self, entries: Sequence[CallEntry]) -> list[Candidate]:
        """Return the entries with their operation, references and ids. Those with a fault are left out."""
        references, names = ReferenceResolver(list(entries)), IdResolver(self.reader)
        created, known = set[str](), set[str]()
        found: list[Candidate] = []
        for number, entry in enumerate(entries, 1):
            faults: list[SaasusMcpError] = []
            try:
                operation = self.reader.find_operation(entry.tool)
                faults += self._listing_faults(operation)
                args, places, misdirected = references.replace(operation, _split_lists(operation, entry))
                faults += misdirected
                if entry.undoes is None:
                    later = {argument_at(args, place) for place in places}
                    args, unknown = await names.resolve(operation, args, created | later)
                    faults += unknown
                step = PlanStep(f"c{number}", operation.key, args, places, undoes=entry.undoes)
                if not misdirected:  # their arguments are missing
                    filled = fill_placeholders(step.args, step.placeholders())
                    step = replace(step, args=self.reader.validate_arguments(operation.key, filled))
                if not faults:
                    references.add(entry, step.step, operation)
            except SaasusMcpError as error:
                if not is_about(error, faults):
                    faults.append(error)
            if faults:
                self._add_faults(entry, *faults)
                references.add_faulty(entry)
                continue
            values = {str(value) for value in iterate_scalars(dict(step.args))}
            earlier_targets = {each.target for each in found}
            record = ",".join(operation.path_parameters) or operation.key  # calls about one record have one target
            target = f"{record} {target_identity(OperationCall(operation, step.args))}"
            if entry.undoes is not None:
                depends, known = not known.isdisjoint(values), known | values
                step = replace(step, binds=not depends)
            else:
                depends = bool(places) or target in earlier_targets or not created.isdisjoint(values)
                if operation.effects.effect == "create":
                    created |= names_in(step.args)
            found.append(Candidate(entry, operation, step, target, state_changes=depends))
        return found

    def _listing_faults(self, operation: Operation) -> list[SaasusMcpError]:
        """Return why a list may not have calls of this operation."""
        if operation.reads:
            return [InvalidArguments.at((), "jobs_calls.read_in_list")]
        if not self.reader.bulk_limits.allows(operation.level):
            return [InvalidArguments((), message("jobs_calls.level_not_listed", level=operation.level))]
        return []

    def _find_duplicates(self, candidates: Sequence[Candidate]) -> None:
        """Add a fault for each call that another row has already, and for a second grave call about one target."""
        calls: dict[str, Candidate] = {}
        targets: dict[tuple[str, str], Candidate] = {}
        for each in candidates:
            if each.entry.undoes is not None:
                continue  # two changes of one target are undone one after the other
            call = compact_json([each.operation.key, each.step.args, each.step.from_steps])
            first = calls.setdefault(call, each)
            if first is not each:
                self._add_faults(each.entry, message("jobs_calls.duplicate_call", row=first.entry.row))
                continue
            same = targets.setdefault((each.operation.key, each.target), each)
            if same is not each and each.operation.level in TYPED_LEVELS:
                self._add_faults(each.entry, message("jobs_calls.same_target", row=same.entry.row))

    def _add_faults(self, entry: CallEntry, *faults: Localized) -> None:
        for fault in faults:
            self.add_fault(RowFault(entry.row, entry.shown, fault))

    async def _review(self, candidates: Sequence[Candidate]) -> None:
        await run_concurrently([partial(self._review_call, each) for each in candidates])
        freed: set[tuple[str, str]] = set()
        for each in candidates:
            taken = {(collection(each), name) for name in names_in(each.step.args)}
            if each.refused is not None and not each.entry.tabular and not freed.isdisjoint(taken):
                each.takes_freed_name = True
                await self._review_later(each)
            if each.listed is not None and frees_name(each, name := each.listed.review.inspection.snapshot.name):
                freed.add((collection(each), name))
        await self._review_changed(candidates)
        for each in candidates:
            if each.refused is not None:
                self._add_faults(each.entry, each.refused)

    async def _review_changed(self, candidates: Sequence[Candidate]) -> None:
        """Bind no call to a state that earlier calls change, and list one that only for now would change nothing."""
        changes = StateChanges()
        for each in candidates:
            if each.entry.undoes is None and changes.concern(each):
                each.step = replace(each.step, binds=False)
            if each.unchanged is not None and changes.may_concern(each):
                await self._review_later(each)
            if each.listed is not None:
                changes.add(each)

    async def _review_call(self, candidate: Candidate) -> None:
        candidate.refused = candidate.unchanged = None
        try:
            reviewed = await self.reader.review_write(candidate.step, state_changes=candidate.state_changes)
        except NoChange as reason:
            candidate.unchanged = reason.message
        except CallRefused as error:
            candidate.refused = error
        except SaasusMcpError as error:
            self._add_faults(candidate.entry, error)
        else:
            candidate.listed = ListedCall(candidate.entry.row, candidate.step, reviewed)

    async def _review_later(self, candidate: Candidate) -> None:
        """Review a call that depends on the state that earlier calls leave."""
        candidate.state_changes = True
        await self._review_call(candidate)

    def _leave_out_dependents(self, candidates: Sequence[Candidate]) -> None:
        """Add a fault for each call that takes a value from a call that is left out."""
        rows = {each.step.step: each.entry.row for each in candidates}
        unchanged = {each.step.step for each in candidates if each.unchanged is not None}
        faulty = {fault.row for fault in self._faults}
        for each in candidates:
            sources = {step for step, _ in each.step.from_steps.values()}
            left_out = [rows[step] for step in sources if rows[step] in faulty or step in unchanged]
            if left_out and each.entry.row not in faulty:
                self._add_faults(each.entry, message("jobs_calls.depends_on_left_out", row=min(left_out)))
                faulty.add(each.entry.row)

    def _defer_critical(self, candidates: Sequence[Candidate]) -> None:
        """Leave the critical inverse calls that one approval does not cover to the next undo. Others are refused as a list."""
        bulk, faulty = self.reader.bulk_limits, {fault.row for fault in self._faults}
        covered: list[str] = []
        for each in candidates:
            is_critical = each.listed is not None and each.listed.needs_approval
            if bulk.critical != "once" or each.entry.undoes is None or not is_critical or each.entry.row in faulty:
                continue
            if len(covered) == bulk.critical_limit or each.operation.tool not in (covered or [each.operation.tool]):
                self._add_faults(each.entry, message("jobs_calls.undo_later"))
            else:
                covered.append(each.operation.tool)

    def _require_one_critical_operation(self, listed: Sequence[ListedCall]) -> None:
        """Refuse a list whose critical calls one approval cannot cover."""
        bulk = self.reader.bulk_limits
        critical = Counter(each.review.operation.tool for each in listed if each.needs_approval)
        if bulk.critical != "once" or not critical:
            return
        path, count, limit = (self.options.argument,), critical.total(), bulk.critical_limit
        if len(critical) > 1:
            raise InvalidArguments.at(path, "jobs_calls.several_critical", tools=tuple(sorted(critical)))
        if count > limit:
            raise InvalidArguments.at(path, "jobs_calls.too_many_critical", count=count, limit=limit)

    async def _build(
        self, rows: Sequence[Mapping[str, Any]], sound: Sequence[Candidate], listed: Sequence[ListedCall]
    ) -> Plan:
        groups, sizes, needs = order_groups(sound)
        data = {
            "rows": rows,
            "phases": sizes,
            "needs": needs,
            "stop": self.options.stop,
            "only_plan": self.options.only_plan,
            **reading_data(self.options.reading),
        }
        counts = dict(Counter(row.get("outcome", "planned") for row in rows))
        if not listed:
            return Plan(data=data, counts=counts)
        totals = await read_price_totals(self.reader, listed)
        question = CallsQuestion(listed, totals, left_out=counts.get("left_out", 0), unchanged=counts.get("skipped", 0))
        return Plan(
            () if self.options.only_plan else tuple(groups),
            data,
            counts,
            headline=question.headline,
            facts=(*question.facts(), *reading_facts(self.options.reading)),
            volatile_facts=tuple(question.volatile_facts()),
            warnings=tuple(question.warnings()),
            undo=question.undo,
            details=tuple(question.details()),
            typed=question.typed,
            is_list=True,
        )

    def _rows(self, entries: Sequence[CallEntry], candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
        """Return a row for each entry: the step that makes its call, or why none does."""
        language = self.reader.language
        faults = {fault.row: fault.text.text(language) for fault in reversed(self._faults)}
        calls = {id(each.entry): each for each in candidates}
        rows: list[dict[str, Any]] = []
        for entry in entries:
            row: dict[str, Any] = {"row": entry.row, "tool": entry.tool}
            call = calls.get(id(entry))
            if call is not None and call.listed is not None:
                row |= {"tool": call.operation.tool, "target": self._target(call.listed, candidates)}
            if entry.row in faults:
                rows.append({**row, "outcome": "left_out", "why": faults[entry.row]})
            elif call is not None and call.unchanged is not None:
                rows.append({**row, "outcome": "skipped", "why": call.unchanged.text(language)})
            elif call is not None:
                rows.append({**row, "step": call.step.step})
        told = {row["row"] for row in rows}
        first = {fault.row: fault.tool for fault in reversed(self._faults)}
        rows += [
            {"row": row, "target": first[row], "outcome": "left_out", "why": text}
            for row, text in faults.items()
            if row not in told
        ]
        return sorted((*rows, *self._unchanged_rows), key=lambda row: int(row["row"]))

    def _target(self, call: ListedCall, candidates: Sequence[Candidate]) -> str:
        """Return the name of a target, or of the item that an earlier call creates."""
        source = call.step.from_steps.get(call.target_argument, ("",))[0]
        created = next((each.listed for each in candidates if each.step.step == source), None)
        return call.target or (created.created if created is not None else "")


def _split_lists(operation: Operation, entry: CallEntry) -> dict[str, Any]:
    """Return the arguments of an entry. In a table, a list is one cell with semicolons."""
    properties = operation.input_schema.get("properties", {})
    if not entry.tabular:
        return dict(entry.arguments)
    return {
        name: [part.strip() for part in value.split(";") if part.strip()]
        if isinstance(value, str) and properties.get(name, {}).get("type") == "array"
        else value
        for name, value in entry.arguments.items()
    }

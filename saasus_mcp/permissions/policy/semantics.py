"""Semantic checks of a policy file: tools exist, conditions compile, names are free."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from saasus_mcp.catalog import Catalogue, Operation, UnknownTool
from saasus_mcp.common.messages import Parameter
from saasus_mcp.common.text import fold_name
from saasus_mcp.permissions.policy import conditions
from saasus_mcp.permissions.policy.errors import PolicyFault
from saasus_mcp.permissions.policy.model import DEFAULT_BULK, BulkLimits, LiveState
from saasus_mcp.permissions.policy.rules import NO_RULE, Rule, RulePolicy, matches_glob
from saasus_mcp.permissions.policy.schema import describe_place
from saasus_mcp.permissions.policy.yaml_reader import PolicyDocument

UNSAFE_KEY = "unsafe-allow-everything"
PRINCIPAL_FIELDS = ("id", "groups", "claims")
SELECTORS = ("tools", "module", "levels", "effects")


def document_faults(document: PolicyDocument) -> Iterator[PolicyFault]:
    """Yield the faults of the file as a whole: it must decide something, and unsafe options stand alone."""
    keys = [key for key in document.value if key != "version"]
    if UNSAFE_KEY in keys:
        for key in keys:
            if key != UNSAFE_KEY:
                yield PolicyFault(document.line(key), "unsafe_beside", {"key": key})
    elif "rules" not in keys:
        yield PolicyFault(document.line(), "decides_nothing")


@dataclass(slots=True)
class PolicyBuilder:
    """Builds a policy from the rules of a document with a valid form.

    `faults` collects errors; `notes` collects valid but perhaps surprising parts.
    """

    document: PolicyDocument
    catalogue: Catalogue
    faults: list[PolicyFault] = field(default_factory=list)
    notes: list[PolicyFault] = field(default_factory=list)

    def build(self, name: str) -> RulePolicy:
        """Return the policy, valid only without faults. `name` is used if the file has no name."""
        said = self.document.value
        self._names()
        self._groups(said.get("groups", {}))
        return RulePolicy(
            name=said.get("name", name),
            rules=tuple(self._rule(index, rule) for index, rule in enumerate(said["rules"])),
            announcement=said.get("announcement", ""),
            groups={group: _several(members) for group, members in said.get("groups", {}).items()},
            confirm_via=said.get("confirm_via", "client"),
            two_person=said.get("two_person", False),
            ceilings=said.get("ceilings", {}),
            bulk=self._bulk(said.get("bulk", {})),
        )

    def _bulk(self, said: Mapping[str, Any]) -> BulkLimits:
        """Return the limits of lists of calls. A limit of critical calls means nothing unless one approval covers several."""
        if "critical_limit" in said and said.get("critical", DEFAULT_BULK.critical) != "once":
            self.faults.append(PolicyFault(self.document.line("bulk", "critical_limit"), "critical_limit_unused"))
        levels = {"levels": tuple(said["levels"])} if "levels" in said else {}
        return replace(DEFAULT_BULK, **{**said, **levels})

    def _names(self) -> None:
        first: dict[str, int] = {}
        for index, rule in enumerate(self.document.value["rules"]):
            name, line = rule["name"], self.document.line("rules", index, "name")
            if name == NO_RULE:
                self._note(index, "name", "reserved", name=name)
            elif name in first:
                self._note(index, "name", "duplicate_name", first=str(first[name]))
            first.setdefault(name, line)

    def _groups(self, groups: Mapping[str, Any]) -> None:
        """Reject names that only look like a group of the file: they would match groups that callers bring."""
        known: dict[str, str] = {}
        for name in groups:
            other = known.setdefault(fold_name(name), name)
            if other != name:
                self.faults.append(
                    PolicyFault(self.document.line("groups", name), "similar_group", {"name": name, "other": other})
                )
        for index, rule in enumerate(self.document.value["rules"]):
            for name in _several(rule.get("who", ())):
                meant = known.get(fold_name(name), name)
                if name not in groups and meant != name:
                    self._note(index, "who", "similar_group", name=name, other=meant)

    def _rule(self, index: int, said: Mapping[str, Any]) -> Rule:
        lists = {key: _several(said.get(key, ())) for key in ("who", "module", "levels", "effects", "profile")}
        named = _several(said.get("tools", ()))
        tools = tuple(self._tool(index, tool, at) for at, tool in enumerate(named))
        rule = Rule(
            name=said["name"],
            then=said["then"],
            tools=tools,
            when=said.get("when"),
            reason=said.get("reason", "").strip().rstrip(".。"),
            **lists,
        )
        given = [key for key in SELECTORS if key in said]
        if not given:
            self._note(index, None, "no_selector")
        elif len(given) > 1:
            self._note(index, given[1], "selectors", given=", ".join(given))
        if rule.when is not None:
            self._condition(index, rule, rule.when)
        return rule

    def _tool(self, index: int, tool: str, at: int) -> str:
        """Return the tool's present name, or the glob."""
        line = self.document.line("rules", index, "tools", at)
        if "*" in tool or "?" in tool:
            if not any(
                matches_glob(tool, operation.tool) or matches_glob(tool, operation.key) for operation in self.catalogue
            ):
                self._note(index, "tools", "no_match", line=line, tool=tool)
            return tool
        try:
            return self.catalogue.find(tool).tool
        except UnknownTool as error:
            what = "unknown_tool" if error.nearest else "unknown_tool_far"
            self._note(index, "tools", what, line=line, tool=tool, nearest=", ".join(error.nearest))
            return tool

    def _condition(self, index: int, rule: Rule, when: str) -> None:
        wrong = conditions.check_condition(when)
        if wrong is not None:
            row, column, why = wrong
            steps = ("rules", index, "when")
            line = self.document.line(*steps) + row - (steps not in self.document.blocks)
            self._note(index, None, "condition", line=line, column=str(column), why=why)
            return
        selected = [operation for operation in self.catalogue if rule.selects(operation)]
        for state in sorted(conditions.used_states(when)):
            having = [operation for operation in selected if _has(operation, state)]
            self._spoken_of(index, state, selected, having)
        self._fields(index, when, selected)

    def _fields(self, index: int, when: str, selected: list[Operation]) -> None:
        """Reject unknown fields: a typo in `has(…)` would silently disable a deny rule."""
        uses = conditions.used_fields(when)
        for path in sorted(uses.read, key=str):
            *parent, name = path
            inside = [operation for operation in selected if _names(operation, parent) is not None]
            fields = {operation.tool: _names(operation, parent) or () for operation in inside}
            having = [operation for operation in inside if name in fields[operation.tool]]
            known = sorted({each for names in fields.values() for each in names})
            if not known or (having and path in uses.tested):
                continue  # nothing is known of it, or it was said already that none of them has it
            spoken = ".".join(step for step in path if step is not None)
            self._spoken_of(index, spoken, inside, having, known=", ".join(known))

    def _spoken_of(
        self, index: int, spoken: str, selected: list[Operation], having: list[Operation], *, known: str = ""
    ) -> None:
        """Add a fault if no selected tool has what a condition uses, and a note if only some have it."""
        if selected and not having:
            what = "unknown_field" if known else "no_state"
            self._note(index, "when", what, field=spoken, known=known)
        elif len(having) < len(selected):
            without = [operation.tool for operation in selected if operation not in having]
            some = {"field": spoken, "tool": without[0], "more": str(len(without) - 1)}
            line = self.document.line("rules", index, "when")
            self.notes.append(PolicyFault(line, "some_without", some, describe_place(self.document, ("rules", index))))

    def _note(self, index: int, key: str | None, what: str, line: int | None = None, **params: Parameter) -> None:
        steps = ("rules", index) if key is None else ("rules", index, key)
        found = self.document.line(*steps) if line is None else line
        self.faults.append(PolicyFault(found, what, params, describe_place(self.document, ("rules", index))))


def _has(operation: Operation, state: LiveState) -> bool:
    """Return whether an operation has a recipe that reads this state."""
    target = operation.effects.target
    return bool(operation.effects.impact) if state == "impact" else target is not None and target.read is not None


def _names(operation: Operation, path: Sequence[str | None]) -> Collection[str] | None:
    """Return the fields that a value can have for this operation; None if it does not occur, or can have any."""
    variable, *steps = path
    if variable != "args":
        names = PRINCIPAL_FIELDS if variable == "principal" else tuple(each.name for each in operation.effects.impact)
        return None if steps or variable == "target" else names
    schema: Mapping[str, Any] = operation.input_schema
    for step in steps:
        schema = schema.get("items", {}) if step is None else schema.get("properties", {}).get(step, {})
    return None if steps and "properties" not in schema else tuple(schema.get("properties", ()))


def _several(said: str | Sequence[str]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said)

"""What the catalogue holds: frozen records, one per operation of the SaaSus API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from saasus_mcp.common.json_path import Schema
from saasus_mcp.common.language import Text

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Level = Literal["read", "read_sensitive", "write", "write_sensitive", "destructive", "critical"]

READ_LEVELS: frozenset[str] = frozenset({"read", "read_sensitive"})
TYPED_LEVELS: frozenset[str] = frozenset({"destructive", "critical"})
"""Levels whose yes is given by typing the target's name."""


@dataclass(frozen=True, slots=True)
class ListSelector:
    """How to find one element of a list that a read answers: `where` maps its fields to expressions."""

    source: str
    where: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """What a destructive or critical call hits, and the name a person types to say so.

    Attributes:
        read: operation key of the read that shows the target, or None where nothing shows it.
        args: the read's arguments, as expressions over the call's `args`.
        name: expression for the name to type; empty where the whole SaaS is the target.
        pick: which element of the read's answer is the target, where the answer is a list.
    """

    read: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    pick: ListSelector | None = None


@dataclass(frozen=True, slots=True)
class ImpactMetric:
    """One thing that a preview says about what a call would hit: a number, or a short value.

    Exactly one of `count`, `of` and `show` is given.

    Attributes:
        read: operation key of the read whose answer is `result`; None where arguments and target say it all.
        count: expression for a number.
        of: path to a list in the answer, whose matching rows are counted.
        where: what a row must hold, by path: its value, or in a map the key that must not be empty.
        has: path that must not be empty in a row.
        by: path whose different values are counted instead of rows.
        only: the same, but a value counts only if every row that has it matches.
        show: expression for a short value or a list of them.
    """

    name: str
    label: Text
    read: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    count: str = ""
    of: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    has: str = ""
    by: str = ""
    only: str = ""
    show: str = ""


@dataclass(frozen=True, slots=True)
class DifferenceRecipe:
    """How to see what is there before a call, and which of its arguments would replace what.

    Attributes:
        read: operation key of the read; None where the target is what was there.
        now: by argument, the expression for its present value in `result`.
        omitted: what becomes of a field that the call leaves out.
    """

    read: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    pick: ListSelector | None = None
    now: Mapping[str, str] = field(default_factory=dict)
    omitted: Literal["keeps", "resets", "unknown"] = "unknown"


@dataclass(frozen=True, slots=True)
class VerificationRecipe:
    """How to see afterwards whether a call was done: `applied` gives true, false, or null where nothing tells."""

    read: str
    applied: str
    args: Mapping[str, str] = field(default_factory=dict)
    pick: ListSelector | None = None


@dataclass(frozen=True, slots=True)
class UndoRecipe:
    """What can be had back after a call, and by which other call.

    Attributes:
        kind: `class` in the table.
        call: operation key of the inverse; None where there is none.
        tool: its tool's name; empty where there is none.
        args: its arguments, as expressions; one without a value is left out.
        needs: arguments without which there is no undo.
        each: expression for a list; one inverse call is made for each `item` of it.
        when: expression; the inverse call is made only where it is true. Empty: always.
        supply: paths of arguments that were never kept, secrets above all: a person enters them again.
        left: expression over the present state, as the inverse call's own recipes read it: whether it is what the call left.
            Empty: the answer says so, or `verify`.
        also: further inverse calls, made after it, each under its own conditions.
        critical: whether one of them is critical, so that undoing takes an approval unless the policy says otherwise.
        note: what cannot come back.
    """

    kind: Literal["undoable", "recreatable", "lost"]
    call: str | None = None
    tool: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    each: str = ""
    when: str = ""
    needs: tuple[str, ...] = ()
    supply: tuple[str, ...] = ()
    left: str = ""
    also: tuple[UndoRecipe, ...] = ()
    critical: bool = False
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """What must hold before anybody is asked about a call and before it is sent.

    Attributes:
        that: expression; only where it is false does the call end. What cannot be told blocks nothing.
        when: expression; where it is given and not true, nothing is required.
        text: what is wrong and what to do about it.
        read: operation key of the read whose answer is `result`; without one, `status` is that of the target's read.
        args: the read's arguments; it is not made where one of them has no value.
        live: whether it speaks of what is there now, and not of the arguments alone.
        field: the argument that is at fault; empty where none is.
    """

    that: str
    text: Text
    read: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    when: str = ""
    live: bool = False
    field: str = ""


@dataclass(frozen=True, slots=True)
class Effects:
    """One row of tool_specs/effects.yaml: what the operation does to the world.

    Attributes:
        affects_users: which number of `impact` counts against the budget of affected users, or that number itself.
    """

    effect: Literal["read", "create", "update", "delete", "action"]
    level: Level
    reversibility: Literal["reversible", "recreate", "irreversible", "n/a"] = "n/a"
    blast: tuple[str, ...] = ()
    idempotent: bool = True
    adds_only: bool = False
    email: Literal["no", "yes", "conditional"] = "no"
    money: Literal["no", "yes", "indirect", "conditional"] = "no"
    outside: tuple[str, ...] = ()
    personal_data: bool = False
    preconditions: tuple[str, ...] = ()
    requires: tuple[Requirement, ...] = ()
    why: str = ""
    target: Target | None = None
    bind: tuple[str, ...] = ()
    impact: tuple[ImpactMetric, ...] = ()
    affects_users: str | int | None = None
    diff: DifferenceRecipe | None = None
    verify: VerificationRecipe | None = None
    undo: UndoRecipe | None = None
    say: Text | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of the API, ready to be listed, decided on and called. Equal only to itself.

    Attributes:
        key: `module.OperationId`, e.g. `auth.DeleteTenant`.
        tool: the MCP tool's name, a public interface.
        path: the template from the host on, e.g. `/v1/auth/tenants/{tenant_id}`.
        body: whether the call carries a JSON body.
        input_schema: what arguments must satisfy; undeclared ones are refused (saasus.validation). Clients see server.listing's form.
        output_schema: tolerant: nothing is required, since the API may drift from its documents.
        answers: whether the API answers with a body at all.
        wrapped: whether the answer is an array or a scalar, carried as `{"result": …}`.
        texts: the whole description of every field, by its path (`users[].id`), arguments and answer apart.
        variants: for a body of several shapes, the discriminating argument and each shape's schema.
        exactly_one: arguments of which a call carries exactly one.
        ambiguous: combinations of path values that would reach another operation's route.
        secret_inputs, secret_outputs, scrubbed_outputs: paths of secrets in arguments and answers.
    """

    key: str
    module: str
    operation_id: str
    tool: str
    toolset: str
    method: Method
    path: str
    title: Text
    description: Text
    terse: str
    path_parameters: tuple[str, ...]
    query_parameters: tuple[str, ...]
    body: bool
    input_schema: Schema
    output_schema: Schema
    answers: bool
    wrapped: bool
    input_texts: Mapping[str, str]
    output_texts: Mapping[str, str]
    variants: tuple[str, Mapping[str, Schema]] | None
    exactly_one: tuple[tuple[str, ...], ...]
    ambiguous: tuple[Mapping[str, str], ...]
    secret_inputs: tuple[str, ...]
    secret_outputs: tuple[str, ...]
    scrubbed_outputs: tuple[str, ...]
    statuses: tuple[int, ...]
    effects: Effects

    @property
    def level(self) -> Level:
        return self.effects.level

    @property
    def reads(self) -> bool:
        """Whether the call changes nothing, by the table of effects and never by the HTTP verb."""
        return self.effects.level in READ_LEVELS

    @property
    def addressing(self) -> tuple[str, ...]:
        """The arguments that are not in the body."""
        return (*self.path_parameters, *self.query_parameters)

    @property
    def retriable(self) -> bool:
        """Whether sending it twice does what sending it once does: only idempotent reads."""
        return self.reads and self.effects.idempotent


MAX_REASON_LENGTH = 200
REASON_SCHEMA: Schema = {"type": "string", "maxLength": MAX_REASON_LENGTH, "description": "why, for the person asked"}
"""The argument in which a caller states why it makes a call. No decision depends on it."""

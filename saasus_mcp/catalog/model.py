"""The records of the catalogue: operations of the SaaSus API and their effects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from saasus_mcp.catalog.levels import READ_LEVELS
from saasus_mcp.common.json_path import Schema
from saasus_mcp.common.language import Text

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Level = Literal["read", "read_sensitive", "write", "write_sensitive", "destructive", "critical"]
_ARGUMENT_REFERENCE = re.compile(r"\bargs\.(\w+)")
"""An argument that an expression refers to."""


@dataclass(frozen=True, slots=True)
class ListSelector:
    """Selects one item of a list in a read's answer. `where` maps its fields to expressions."""

    source: str
    where: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StateRecipe:
    """How to read the state before a call.

    Attributes:
        read: operation key of the read, or None if no read of this recipe shows the state.
        args: the read's arguments, as expressions over the call's `args`.
        pick: selects the item if the read answers a list.
    """

    read: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    pick: ListSelector | None = None

    @property
    def identifying(self) -> tuple[str, ...]:
        """The arguments that identify the item. The last one identifies it among those of the others."""
        texts = [*self.args.values(), *(self.pick.where.values() if self.pick is not None else ())]
        return tuple(name for text in texts for name in _ARGUMENT_REFERENCE.findall(text))


@dataclass(frozen=True, slots=True)
class Target(StateRecipe):
    """The record that a destructive or critical call affects, and the name that a person types to confirm.

    Attributes:
        name: expression for the name to type. Empty if the target is the whole SaaS.
    """

    name: str = ""


@dataclass(frozen=True, slots=True)
class ImpactMetric:
    """A number or short value in the preview of a call's impact.

    Exactly one of `count`, `of` and `show` is set.

    Attributes:
        read: operation key of the read whose answer is `result`, or None if arguments and target suffice.
        count: expression for a number.
        of: path to a list in the answer. Its matching rows are counted.
        where: the condition on a row, by path: the value, or for a map the key that must not be empty.
        has: path that must not be empty in a row.
        by: path whose distinct values are counted instead of rows.
        only: the same, but a value counts only if every row with it matches.
        show: expression for a short value or a list of short values.
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
class DifferenceRecipe(StateRecipe):
    """How to compare a call's arguments with the current values, which the target's read shows if this recipe has none.

    Attributes:
        now: by argument, the expression for its current value in `result`.
        omitted: what becomes of a field that the call omits.
    """

    now: Mapping[str, str] = field(default_factory=dict)
    omitted: Literal["keeps", "resets", "unknown"] = "unknown"


@dataclass(frozen=True, slots=True)
class VerificationRecipe:
    """How to find out after a call whether it was applied. `applied` is true, false, or null if this is unknown."""

    read: str
    applied: str
    args: Mapping[str, str] = field(default_factory=dict)
    pick: ListSelector | None = None


@dataclass(frozen=True, slots=True)
class UndoRecipe:
    """How to undo a call.

    Attributes:
        kind: `class` in effects.yaml.
        call: operation key of the inverse call, or None if the call cannot be undone.
        tool: the tool of the inverse call, or empty.
        args: arguments of the inverse call, as expressions. An argument without a value is omitted.
        needs: arguments that the undo requires.
        each: expression for a list. One inverse call is made for each `item`.
        when: expression. The inverse call is made only if it is true. Empty: always.
        supply: paths of arguments that are not stored, such as secrets. A person enters them again.
        left: expression over the current state, as the inverse call's own recipes read it: the state is as the call left
            it. Empty: the answer or `verify` is used.
        also: more inverse calls, made afterwards, each under its own conditions.
        critical: one of the inverse calls is critical, so that undo requires an approval unless the policy allows it.
        note: what cannot be restored.
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
    """A condition that must hold before a question is asked and before the call is sent.

    Attributes:
        that: expression. The call is refused only if it is false. An unknown value does not block the call.
        when: expression. Nothing is required if it is set and not true.
        text: what is wrong and what to do about it.
        read: operation key of the read whose answer is `result`. Without it, `status` is that of the target's read.
        args: the read's arguments. The read is skipped if one of them has no value.
        live: the condition depends on the current state, and not on the arguments alone.
        example: values that meet the requirement, by the paths of their descriptions.
        field: the argument at fault, or empty.
        each_item: the condition is one on each item of `field`, so that a refusal names those that do not meet it.
        no_change: if the condition is false, the call would change nothing, which is no fault.
    """

    that: str
    text: Text
    read: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    when: str = ""
    live: bool = False
    example: Mapping[str, str | int | Mapping[str, str]] = field(default_factory=dict)
    field: str = ""
    each_item: bool = False
    no_change: bool = False


@dataclass(frozen=True, slots=True)
class Effects:
    """The reviewed facts about an operation: one row of tool_specs/effects.yaml.

    Attributes:
        user_token: what to do without the token of an end user that the call needs. None if it needs none.
        affects_users: the metric of `impact` that counts against the budget of affected users, or the number itself.
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
    preconditions: tuple[Text, ...] = ()
    requires: tuple[Requirement, ...] = ()
    why: Text | None = None
    target: Target | None = None
    bind: tuple[str, ...] = ()
    impact: tuple[ImpactMetric, ...] = ()
    affects_users: str | int | None = None
    diff: DifferenceRecipe | None = None
    verify: VerificationRecipe | None = None
    undo: UndoRecipe | None = None
    say: Text | None = None
    user_token: Text | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operation of the API. Compared by identity.

    Attributes:
        key: `module.OperationId`, e.g. `auth.DeleteTenant`.
        tool: the name of the MCP tool, a public interface.
        empty: what an answer without items can mean, for the model; empty if it means one thing only.
        path: the template after the host, e.g. `/v1/auth/tenants/{tenant_id}`.
        body: the call has a JSON body.
        input_schema: the schema of arguments. Undeclared ones are refused (saasus.validation).
        output_schema: the schema of the answer. It requires no field, since the API may drift from its documents.
        answers: the API answers with a body.
        wrapped: the answer is an array or a scalar, which becomes `{"result": …}`.
        input_texts, output_texts: the full description of every field, by path (`users[].id`).
        variants: for a body of several variants, the discriminating argument and the schema of each variant.
        exactly_one: groups of arguments, of which a call has exactly one.
        ambiguous: combinations of path values that match another operation's route, or that the API takes for every id.
        secret_inputs, secret_outputs, scrubbed_outputs: paths of secrets in arguments and answers.
        reads: whether the call changes nothing, by its effects and never by its HTTP method.
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
    empty: str = ""
    level: Level = field(init=False)
    reads: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", self.effects.level)
        object.__setattr__(self, "reads", self.effects.level in READ_LEVELS)

    @property
    def leaves_undo_entry(self) -> bool:
        """Return whether the undo log has an entry for a call."""
        undo = self.effects.undo
        return not self.reads and undo is not None and (undo.call is not None or self.effects.reversibility != "n/a")

    @property
    def addressing(self) -> tuple[str, ...]:
        """Return the arguments outside of the body."""
        return (*self.path_parameters, *self.query_parameters)

    @property
    def lookup_tools(self) -> tuple[str, ...]:
        """Return the tools that list the records of the path."""
        return tuple(dict.fromkeys(LOOKUP_TOOLS[name] for name in self.path_parameters if name in LOOKUP_TOOLS))

    @property
    def retriable(self) -> bool:
        """Return whether the call may be sent twice: only an idempotent read may."""
        return self.reads and self.effects.idempotent


LOOKUP_TOOLS: Mapping[str, str] = {
    "tenant_id": "auth_get_tenants",
    "user_id": "auth_search_saas_users",
    "env_id": "auth_get_envs",
    "role_name": "auth_get_roles",
    "invitation_id": "auth_get_tenant_invitations",
    "metering_unit_id": "pricing_get_metering_units",
    "metering_unit_name": "pricing_get_metering_units",
    "pricing_unit_id": "pricing_get_pricing_units",
    "menu_id": "pricing_get_pricing_menus",
    "plan_id": "pricing_get_pricing_plans",
    "tax_rate_id": "pricing_get_tax_rates",
    "feedback_id": "communication_get_feedbacks",
    "comment_id": "communication_get_feedback",
    "api_key": "apigateway_get_api_keys",
    "api_log_id": "apilog_get_logs",
    "customer_identifier": "awsmarketplace_get_customers",
    "plan_name": "awsmarketplace_get_plans",
}
"""The tool that lists the possible values of an argument."""
MAX_REASON_LENGTH = 200
REASON_ARGUMENT = "reason"
"""The requester's own words. They do not change what a call does."""
REASON_SCHEMA: Schema = {"type": "string", "maxLength": MAX_REASON_LENGTH, "description": "why, for the person asked"}
"""The argument in which a caller states why it makes a call. No decision depends on it."""

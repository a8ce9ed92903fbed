"""The content of the audit records of calls and jobs. No record contains a secret."""

from __future__ import annotations

from typing import Any

from saasus_mcp.catalog import UnknownTool
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.approval.proof import Destination, Proof
from saasus_mcp.permissions.policy.model import Decision, Policy, Principal
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.saasus.secret_paths import redact_arguments
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.prepared_call import PreparedCall

MAX_AUDITED_NAME = 80
"""Characters of a name that a client sent."""
MAX_CHANGES = 20
"""Lines of the changes since an approval, in the audit record and in the answer."""


def call_record(call: PreparedCall, destination: Destination, policy: Policy) -> dict[str, Any]:
    """Return the record of a call before it is sent: who, what, where, by which rule and with whose consent."""
    record: dict[str, Any] = {
        "operation": call.operation.key,
        **_caller(call.principal, destination),
        "groups": sorted(call.principal.groups),
        "arguments": redact_arguments(call.operation, call.arguments),
        **authorization_record(call.decision, call.proof, policy),
    }
    if call.reason:
        record["stated_reason"] = call.reason
    if call.changes:
        record["since"] = list(call.changes[:MAX_CHANGES])
    if call.inspection.impact.findings:
        record["impact"] = dict(call.inspection.impact.counts)
    if call.parent:
        record["parent"] = call.parent
    if call.job_step is not None and call.job_step.step:
        record["step"] = call.job_step.step
    if call.undo_ref is not None:
        record["undoes"] = call.undo_ref.entry.call
    return record


def job_record(
    name: str, principal: Principal, destination: Destination, authorization: dict[str, Any], **details: Any
) -> dict[str, Any]:
    """Return the record of a job before it starts.

    Args:
        authorization: see `authorization_record`.
        details: the arguments, the plan and the steps.
    """
    groups = {"groups": sorted(principal.groups)} if principal.groups else {}
    return {"operation": name, **_caller(principal, destination), **groups, **details, **authorization}


def authorization_record(decision: Decision, proof: Proof | None, policy: Policy) -> dict[str, Any]:
    """Return the members that say why a call or job may happen, and with whose consent."""
    record = {"decision": decision.outcome, "rule": decision.rule, "reason": str(decision.reason)}
    if proof is not None:
        used = {"proof": proof.use.kind, "proof_id": proof.use.id}
        record |= {**used, "by": proof.by, "shown": proof.question_digest}
    if policy.announcement:
        record["announcement"] = policy.announcement
    return record


def rejected_call_record(call: Call, destination: Destination, error: SaasusMcpError) -> dict[str, Any]:
    """Return the record of a call that was not prepared. It contains no argument, because none was checked for secrets."""
    record: dict[str, Any] = {
        "tool": visible_text(call.name[:MAX_AUDITED_NAME]),
        **_caller(call.principal, destination),
        "refused": _rejection_reason(error),
    }
    if isinstance(error, InvalidArguments):
        record["field"] = visible_text(error.field[:MAX_AUDITED_NAME])
    return record


def outcome_record(answer: ToolAnswer, seconds: float) -> dict[str, Any]:
    """Return the record of a finished call."""
    return {
        "ok": answer.ok,
        "applied": answer.applied,
        "status": answer.status,
        "trace_id": answer.trace_id,
        "ms": round(seconds * 1000, 1),
    }


def _caller(principal: Principal, destination: Destination) -> dict[str, Any]:
    record: dict[str, Any] = {
        "principal": principal.id,
        **principal.person.to_audit(),
        "profile": destination.profile,
        "saas_id": destination.saas_id,
    }
    if principal.narrowing != NO_NARROWING:
        record["narrowing"] = principal.narrowing.to_audit()
    return record


def _rejection_reason(error: SaasusMcpError) -> str:
    if isinstance(error, CallRefused):
        return error.reason
    return "unknown_tool" if isinstance(error, UnknownTool) else "invalid_arguments"

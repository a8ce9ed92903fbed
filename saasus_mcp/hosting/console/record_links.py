"""The links from a record of the audit log to the approval, the job and the change to which it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.common.messages import Message, message
from saasus_mcp.hosting.console.audit_search import operation_of
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.permissions.approval.action_records import ActionKind

JOB_ACTIONS = (ActionKind.PAUSE, ActionKind.RESUME, ActionKind.JOB_CANCEL)


def record_links(service: ConsoleService, record: Mapping[str, Any]) -> list[tuple[str, Message]]:
    """Return the path and the label of each page. The page of a change is missing if the call changed nothing."""
    operation = operation_of(record)
    code = record.get("code") or (record.get("proof_id") if record.get("proof") == "approval" else "")
    links = [(f"/approvals/{code}", message("console_live.to_approval"))] if code else []
    job = record["call"] if operation.startswith("job_") and record["event"] == "begun" else ""
    if not job and record.get("action") in JOB_ACTIONS:
        job = record.get("from_call", "")
    if job:
        links.append((f"/jobs/{job}", message("console_live.to_job")))
    known = service.find_operation(operation)
    if record["event"] == "begun" and known is not None and not known.reads:
        links.append((f"/changes/{record['call']}", message("console_live.to_change")))
    return links

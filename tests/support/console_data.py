"""A console with something on each page: approvals, jobs, changes and their records, for browsers and pictures."""

from __future__ import annotations

import time

from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.store.job_records import JobGrant
from saasus_mcp.store.records import Commitment
from saasus_mcp.store.signin_sessions import Approver
from tests.support.browser_server import BrowserServer

TANAKA = Principal("token:tanaka", frozenset({"support"}))
JOB, RUNNING_JOB = "b1" * 16, "a1" * 16
REPORT = {
    "counts": {"applied": 1, "failed": 1},
    "rows": [
        {"row": 1, "target": "akane@example.jp", "outcome": "failed", "why": "The address is in use."},
        {"row": 2, "target": "ken@example.jp", "outcome": "applied"},
    ],
    "notes": ["Two of 200 rows are blank."],
    "result": "saasus://results/4f3a2b1c",
}


def fill_console(stage: BrowserServer) -> dict[str, str]:
    """Let assistants and people do something of each kind. Return the ids for the addresses of pages."""
    names = stage.names()
    rejected = stage.asks_to_delete(names[-1], TANAKA)
    approver = Approver("token:sato", frozenset({"operators"}))
    stage.console.service.reject(approver, rejected.code, "契約の終了日を確認してください")
    assert stage.calls("auth_create_role", {"role_name": "inspector", "display_name": "監査担当"}).ok
    pending = stage.asks_to_delete(names[0])
    stage.calls("auth_delete_tenant", {"tenant_id": stage.tenant(names[1])}, TANAKA)
    start_job(stage, RUNNING_JOB, "job_import_users")
    stage.pipeline.store.jobs.save_progress(RUNNING_JOB, 40, 120)
    start_job(stage, JOB, "job_change_plans")
    stage.pipeline.store.finish_job(JOB, "done", REPORT, record={"ok": True, "applied": "applied"}, at=time.time())
    change = stage.pipeline.store.undo_log.list_entries()[0]
    return {"pending": pending.code, "rejected": rejected.code, "change": change.call}


def start_job(stage: BrowserServer, job: str, name: str, who: str = "token:bob") -> None:
    """Start a job of one step."""
    grant = JobGrant(name, who, "sandbox", "plan", "confirmation", who, False, {"row-1": "d"}, 2)
    record = {"operation": name, "principal": who, "profile": "sandbox", "saas_id": "sandbox"}
    stage.pipeline.store.commit(job, record, time.time(), commitment=Commitment(grant=grant, profile="sandbox"))

"""A process that dies at each step of an approved deletion: the store tells the truth, and nothing is sent twice."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.store.records import Approval
from saasus_mcp.store.store import Store
from tests.support.crashing_call import KEY, STEPS
from tests.support.pipeline import CREDENTIALS
from tests.support.processes import ROOT, run_module
from tests.support.saas_store import open_saas_store

DIED = 9


def run(folder: Path, step: str) -> subprocess.CompletedProcess[str]:
    return run_module("tests.support.crashing_call", str(folder), step, cwd=ROOT, encoding="utf-8")


def opened(folder: Path) -> Store:
    return open_saas_store(folder, CREDENTIALS.saas_id, [KEY])


def events(store: Store) -> list[str]:
    calls = [
        record["call"] for record in store.audit_log.list_records() if record.get("operation") == "auth.DeleteTenant"
    ]
    return [
        record["event"]
        for record in store.audit_log.list_records()
        if record["call"] in calls and record["event"] in ("begun", "ended")
    ]


def newest(store: Store) -> Approval:
    return store.list_approvals(time.time())[0]


@pytest.mark.parametrize(
    ("step", "told", "status", "sent"),
    [
        ("before audit", [], "approved", 0),
        ("after audit", ["begun"], "used", 0),
        ("after send", ["begun"], "used", 1),
        ("before answer", ["begun", "ended"], "used", 1),
    ],
)
def test_a_death_leaves_the_truth_on_disk_and_never_a_second_send(
    tmp_path: Path, step: str, told: list[str], status: str, sent: int
) -> None:
    assert step in STEPS
    asked = run(tmp_path, "never")
    assert "Approval code" in asked.stdout, asked.stderr
    store = opened(tmp_path)
    approvals = ApprovalService(store)
    pending = newest(store)
    approvals.approve(pending, pending.name, "local:person", time.time())
    store.close()

    assert run(tmp_path, step).returncode == DIED

    store = opened(tmp_path)
    assert events(store) == told
    assert newest(store).status == status
    assert store.audit_log.find_breaks() == [], "a torn audit would hide what happened"
    store.close()

    again = run(tmp_path, "never")
    assert again.returncode == 0, again.stderr
    lines = (tmp_path / "sent").read_text(encoding="utf-8").splitlines() if (tmp_path / "sent").exists() else []
    if status == "approved":
        assert len(lines) == 1, "the yes was not used up, so it still holds, once"
    else:
        assert len(lines) == sent
        assert "Approval code" in again.stdout, "the yes was used up: a person is asked again"

"""Jobs in the store: what a step costs."""

from __future__ import annotations

from saasus_mcp.store import Commitment, Store
from saasus_mcp.store.job_records import JobGrant, StepClaim

NOW = 1_800_000_000.0


def count_instructions(steps: int) -> int:
    """Return how many instructions of SQLite the claim of one step takes in a job of so many steps."""
    store, digests = Store.in_memory(), {f"step {number}": "digest" for number in range(steps)}
    grant = JobGrant("job_x", "local:me", "default", "plan", "none", "", False, digests)
    store.commit("job-1", {}, NOW, commitment=Commitment(grant=grant))
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    with store._database.transaction() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(count, 1)
        store.jobs.claim_step(connection, StepClaim("job-1", f"step {steps - 1}", "digest"), "call", NOW)
        driver.set_progress_handler(None, 1)
    store.close()
    return counted


def test_a_step_of_a_large_job_takes_no_more_work_than_one_of_a_small_job() -> None:
    assert 0 < count_instructions(2_000) <= count_instructions(20) * 1.5

"""Run doctor and read its findings."""

from __future__ import annotations

import json

from tests.support.commands import run_command


def findings(*flags: str) -> dict[str, dict[str, str]]:
    """Return the findings of a run by check."""
    ran = run_command("doctor", "--json", *flags)
    told = json.loads(ran.out)
    problems = [one for one in told["checks"] if one["status"] == "problem"]
    assert told["ok"] is (not problems)
    assert ran.status == (1 if problems else 0)
    assert all(one["hint"] for one in problems)
    return {one["check"]: one for one in told["checks"]}

"""A list of 150 mixed calls whose server is killed again and again, with faults of the API: each call once, each row true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.job_data import sandbox_state
from tests.support.sandbox_server import EXIT_KILLED, SandboxServer, serve_sandbox

ROWS, DEATHS = 150, 9
FEW_ROWS, FEW_DEATHS = 60, 3
"""In `make test`: each moment once."""
MOMENTS = ("before send", "before end", "before checkpoint")


def mixed_calls(count: int) -> list[dict[str, Any]]:
    """Return so many calls: as many roles, environments and user attributes, in runs of ten."""
    calls: list[dict[str, Any]] = []
    for start in range(0, count // 3, 10):
        numbers = range(start, start + 10)
        calls += [
            {"tool": "auth_create_role", "arguments": {"role_name": f"r{each}", "display_name": "R"}}
            for each in numbers
        ]
        calls += [{"tool": "auth_create_env", "arguments": {"id": 1000 + each, "name": f"e{each}"}} for each in numbers]
        attribute = {"display_name": "A", "attribute_type": "string"}
        calls += [
            {"tool": "auth_create_user_attribute", "arguments": {"attribute_name": f"a{each}", **attribute}}
            for each in numbers
        ]
    return calls


def is_there(on: SandboxServer, call: dict[str, Any]) -> bool:
    state, args = sandbox_state(on.sandbox), call["arguments"]
    if "role_name" in args:
        return state.find("roles", args["role_name"]) is not None
    if "attribute_name" in args:
        return state.find("user_attributes", args["attribute_name"]) is not None
    return state.find("envs", args["id"]) is not None


@pytest.mark.slow
async def test_a_list_whose_server_dies_again_and_again_makes_each_call_once_and_reports_each_row_truly(
    tmp_path: Path, exhaustive: bool
) -> None:
    rows, last = (ROWS, DEATHS) if exhaustive else (FEW_ROWS, FEW_DEATHS)
    calls = mixed_calls(rows)
    async with serve_sandbox() as on:
        for key in ("auth.CreateRole", "auth.CreateEnv"):
            on.sandbox.faults.add("status", on=key, times=3, status=500)
            on.sandbox.faults.add("status", on=key, times=2, status=429, retry_after=1)
            on.sandbox.faults.add("reset_before", on=key, times=3)
            on.sandbox.faults.add("reset", on=key, times=3)
        deaths = 0
        listed = json.dumps({"calls": calls})
        for death in range(last):
            moment = MOMENTS[death % len(MOMENTS)]
            status, report = await on.run_job(tmp_path, moment if death == 0 else f"again {moment}", 10, listed)
            if status != EXIT_KILLED:
                break
            deaths += 1
        else:
            _, report = await on.run_job(tmp_path, "never")
        assert deaths == last, "it died in the middle"
        assert report["status"] == "done", report
        assert max(on.writes().values()) == 1, "nothing was sent twice"
        assert [row["row"] for row in sorted(report["rows"], key=lambda row: int(row["row"]))] == [*range(1, rows + 1)]
        wrong = [
            row
            for row in report["rows"]
            if row["outcome"] != "unknown" and (row["outcome"] == "applied") != is_there(on, calls[row["row"] - 1])
        ]
        assert wrong == []

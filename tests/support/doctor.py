"""Run doctor and read its findings."""

from __future__ import annotations

import json
from typing import get_args

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import one_of
from tests.support.commands import run_command


def list_findings(*flags: str) -> list[dict[str, str]]:
    """Return the findings of a run."""
    ran = run_command("doctor", "--json", *flags)
    told = json.loads(ran.out)
    problems = [one for one in told["checks"] if one["status"] == "problem"]
    assert told["ok"] is (not problems)
    assert ran.status == (1 if problems else 0)
    assert all(one["hint"] for one in problems)
    for one in told["checks"]:  # which the text names, and JSON does not
        assert all(one_of("cli_doctor.check", one["check"]).text(lang) for lang in get_args(Language))
    return list(told["checks"])


def findings(*flags: str) -> dict[str, dict[str, str]]:
    """Return the findings of a run by check; of several of one check, the last one."""
    return {one["check"]: one for one in list_findings(*flags)}

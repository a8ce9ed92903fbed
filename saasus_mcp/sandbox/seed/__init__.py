"""Demonstration data: a SaaS in Japanese and English, with fixed ids and times near the present."""

from __future__ import annotations

import json
from pathlib import Path

from saasus_mcp.sandbox.seed import activity, company, offers, people
from saasus_mcp.sandbox.state import State

DOCUMENTS = Path(__file__).with_name("documents.json")


def plant_demonstration(now: int) -> State:
    """Return a new SaaS as of `now`."""
    state = State()
    for path, document in json.loads(DOCUMENTS.read_text(encoding="utf-8")).items():
        state.put("documents", (path,), document)
    company.plant(state, now)
    offers.plant(state)
    people.plant(state, now)
    activity.plant(state, now)
    return state

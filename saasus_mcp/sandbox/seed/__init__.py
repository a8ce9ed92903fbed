"""The demonstration data: a SaaS in Japanese and English, with ids that never change and times near the present."""

from __future__ import annotations

import json
from pathlib import Path

from saasus_mcp.sandbox.seed import activity, company, offers, people
from saasus_mcp.sandbox.state import State

DOCUMENTS = Path(__file__).with_name("documents.json")


def plant(now: int) -> State:
    """A fresh SaaS, as it is at this moment."""
    state = State()
    for path, document in json.loads(DOCUMENTS.read_text(encoding="utf-8")).items():
        state.put("documents", (path,), document)
    company.plant(state, now)
    offers.plant(state)
    people.plant(state, now)
    activity.plant(state, now)
    return state

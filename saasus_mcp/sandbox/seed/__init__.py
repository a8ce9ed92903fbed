"""Demonstration data: a SaaS in Japanese and English, with fixed ids and times near the present.

`records.json` has the records of each table with their keys. In its texts, `{tenant/aozora}` stands for the id of a named record, and
`{-40 days}` for a time before the present.
"""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from saasus_mcp.common.json_tree import map_scalars
from saasus_mcp.sandbox.behaviours.external_services import customer
from saasus_mcp.sandbox.call import DAY
from saasus_mcp.sandbox.seed import activity, people
from saasus_mcp.sandbox.state import State, uid

FOLDER = Path(__file__).parent
_NAME = re.compile(r"\{([a-z]+/[^{}]+)\}")
_TIME = re.compile(r"\{([+-]\d+) days\}")


def plant_demonstration(now: int) -> State:
    """Return a new SaaS as of `now`."""
    state = State()
    for path, document in _read("documents.json").items():
        state.put("documents", (path,), document)
    for table, records in map_scalars(_read("records.json"), partial(_resolve, now)).items():
        for key, record in records:
            state.put(table, tuple(key), record)
    for tenant in state.rows("tenants"):
        state.put("stripe_customers", (tenant["id"],), customer(tenant["id"]))
    people.plant(state, now, _read("people.json"))
    activity.plant(state, now)
    return state


def _read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def _resolve(now: int, value: Any) -> Any:
    """Return a value with ids in place of names, or the time that it stands for."""
    if not isinstance(value, str):
        return value
    time = _TIME.fullmatch(value)
    return now + int(time[1]) * DAY if time else _NAME.sub(lambda name: uid(name[1]), value)

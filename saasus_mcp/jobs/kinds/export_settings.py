"""`job_export_settings`: the eighteen kinds of settings as one document, secrets redacted, in an order that stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from saasus_mcp.jobs import settings
from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.work import Reader, Work


async def plan(reader: Reader, args: Mapping[str, Any]) -> Plan:
    """Nothing changes, so nothing is looked at yet."""
    at = datetime.fromtimestamp(reader.now(), UTC).isoformat()
    return Plan(data={"kinds": settings.chosen(args.get("kinds")), "at": at})


async def run(work: Work, plan: Plan) -> Outcome:
    """Read each kind; what cannot be read is named in the document and does not end the job."""
    found, unread = await settings.read(work, plan.data["kinds"], work.tell)
    whole = settings.document(found, unread, settings.source(work, plan.data["at"]))
    counts = {name: len(value) for name, value in found.items() if isinstance(value, list)}
    notes = tuple(f"{name} is not in it: {why}" for name, why in unread.items())
    return Outcome({"kinds": len(found), **counts}, table=whole, notes=notes)

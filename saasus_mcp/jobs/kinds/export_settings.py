"""`job_export_settings`: the eighteen kinds of settings as one document, secrets redacted, in an order that stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from saasus_mcp.jobs.job_context import JobContext, JobReader
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.settings import settings_document


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Nothing changes, so nothing is looked at yet."""
    at = datetime.fromtimestamp(reader.now(), UTC).isoformat()
    return Plan(data={"kinds": settings_document.select_kinds(args.get("kinds")), "at": at})


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Read each kind; what cannot be read is named in the document and does not end the job."""
    found, unread = await settings_document.read_saas_settings(work, plan.data["kinds"], work.report_progress)
    whole = settings_document.build_document(found, unread, settings_document.document_source(work, plan.data["at"]))
    counts = {name: len(value) for name, value in found.items() if isinstance(value, list)}
    notes = tuple(f"{name} is not in it: {why}" for name, why in unread.items())
    return JobResult({"kinds": len(found), **counts}, product=whole, notes=notes)

"""`job_export_settings`: the eighteen kinds of settings as one document, secrets redacted, in a stable order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from saasus_mcp.common.messages import message
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.settings import settings_document


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Check the names of the kinds."""
    at = datetime.fromtimestamp(reader.now(), UTC).isoformat()
    return Plan(data={"kinds": settings_document.select_kinds(args.get("kinds")), "at": at})


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Read each kind. The document names the parts that cannot be read."""
    settings, unread = await settings_document.read_saas_settings(work, plan.data["kinds"])
    document = settings_document.build_settings_document(work, settings, unread, plan.data["at"])
    counts = {name: len(value) for name, value in settings.items() if isinstance(value, list)}
    notes = tuple(
        message("jobs_settings.not_exported", part=settings_document.kind_text(part), reason=reason)
        for part, reason in unread.items()
    )
    return JobResult({"kinds": len(settings), **counts}, product=document, notes=notes)

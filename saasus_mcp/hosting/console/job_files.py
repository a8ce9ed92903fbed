"""The files of a job on the console. The caller who started the job may download them, while the policy lets them read the content."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from anyio.to_thread import run_sync

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.hosting.console.service import ConsoleService, Listed
from saasus_mcp.hosting.console.signin_sessions import Approver
from saasus_mcp.jobs.tables.table_file import encode_table_file
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.server.results.jmespath_query import format_csv
from saasus_mcp.server.results.result_store import PNG_TYPE, png_of_result
from saasus_mcp.store.job_records import Job

DOWNLOADS = ("result", "all_rows", "chart")
"""The members of a report that can be downloaded. Hidden secrets cannot: each is revealed on its own."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """The content of a file, and its name and type for a browser."""

    name: str
    media_type: str
    content: bytes


def may_download(approver: Approver, listed: Listed[Job]) -> bool:
    """Return True if the files of a job are those of this person, who is still a caller, and this console can read them."""
    return _owner(approver, listed) is not None


async def read_job_file(service: ConsoleService, approver: Approver, job: str, member: str) -> JobFile | None:
    """Return a file of a job; None if it does not exist, has expired, or is not this person's.

    Raises:
        CallRefused: the policy denies this person a call that the file was made from.
    """
    listed = await run_sync(service.find_job, approver, job)
    if listed is None or member not in DOWNLOADS:
        return None
    principal, pipeline = _owner(approver, listed), listed.context.pipeline
    uri = str(listed.record.report.get(member, ""))
    if principal is None or pipeline is None or not uri:
        return None
    found = await pipeline.results.read(uri, principal)
    return await run_sync(_encode, f"{listed.record.name}-{member}", found.value) if found is not None else None


def _owner(approver: Approver, listed: Listed[Job]) -> Principal | None:
    """Return the approver as the caller who started a job; None if they did not, or are no caller."""
    is_own = listed.context.pipeline is not None and listed.record.principal == approver.id
    return listed.context.find_caller(approver) if is_own else None


def _encode(name: str, value: Any) -> JobFile:
    """Return a stored value as a picture, a table, or JSON."""
    if (png := png_of_result(value)) is not None:
        return JobFile(f"{name}.png", PNG_TYPE, base64.b64decode(png))
    if isinstance(value, str) and name.endswith("-chart"):
        return JobFile(f"{name}.txt", "text/plain", value.encode())
    if isinstance(value, list):
        with suppress(InvalidArguments):  # too many cells for a table
            value = format_csv(value)
    if isinstance(value, str):
        return JobFile(f"{name}.csv", "text/csv", encode_table_file(value, ".csv"))
    return JobFile(f"{name}.json", "application/json", json.dumps(value, ensure_ascii=False, indent=2).encode())

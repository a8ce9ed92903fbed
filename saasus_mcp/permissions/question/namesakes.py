"""Other tenants with the name of the target: a name alone does not say which one is meant, and a tenant can take any name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted, fold_name
from saasus_mcp.permissions.inspection.impact import READ_DEADLINE
from saasus_mcp.permissions.inspection.target import ApiReader, clean_name
from saasus_mcp.permissions.question.builder import QuestionInput
from saasus_mcp.permissions.question.content import Question, QuestionWarning
from saasus_mcp.permissions.question.layout import fit_dialog

BATCH_SIZE = 500
"""Tenants whose names are compared at once."""
TENANT_READ, TENANT_LIST = "auth.GetTenant", "auth.GetTenants"


async def warn_of_namesakes(question: Question, asked: QuestionInput, read: ApiReader) -> Question:
    """Return the question, with the id of the target tenant in a warning if other tenants have its name.

    Tenants that cannot be listed give no warning: the question says by itself if its target cannot be read.
    """
    target, snapshot = asked.operation.effects.target, asked.inspection.snapshot
    if target is None or target.read != TENANT_READ or snapshot.read_error or snapshot.missing:
        return question
    own = str(asked.args.get("tenant_id", ""))
    others = await _count_namesakes(own, snapshot.name, read)
    if not others:
        return question
    text = message("question.namesakes", name=Quoted(snapshot.name), count=others, id=Quoted(own, bare=True)).both()
    return fit_dialog(replace(question, warnings=(QuestionWarning("deceptive", text), *question.warnings)))


async def _count_namesakes(own: str, name: str, read: ApiReader) -> int:
    """Return how many other tenants have this name in any spelling that readers take for it."""
    tenants: Any = ()
    with anyio.move_on_after(READ_DEADLINE):
        try:
            answer = (await read(TENANT_LIST, {})).answer
        except SaasusMcpError:
            return 0
        tenants = answer.get("tenants", ()) if isinstance(answer, dict) else ()
    folded, count = fold_name(name), 0
    for number, each in enumerate(tenants):
        if number % BATCH_SIZE == 0:
            await anyio.lowlevel.checkpoint()  # a SaaS can have many tenants, and other calls go on meanwhile
        if isinstance(each, dict) and str(each.get("id")) != own:
            count += fold_name(clean_name(each.get("name"))) == folded
    return count

"""`saasus-mcp reject CODE`: a no. Needs no terminal: refusing is safe."""

from __future__ import annotations

import time
from typing import Any

import click

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.approvals import approval_view
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.permissions.approval.approvals import WAIT_AFTER_REJECTION


@click.command
@click.argument("code")
@click.option("--reason", metavar="TEXT", help="Reason shown to the requester.")
@language_option
def command(code: str, reason: str | None, **flags: Any) -> None:
    """Reject the call with this CODE. The call and variations of it can be requested again after ten minutes."""
    chosen = load_settings(**flags)
    now = time.time()
    with state.open_stores(chosen) as stores:
        approvals, approval = approval_view.find_pending(stores, code, now, chosen.lang)
        approvals.reject(approval, composition.local_user().id, now, reason)
    click.echo(WORDS[chosen.lang]["rejected_done"].format(minutes=WAIT_AFTER_REJECTION // 60))

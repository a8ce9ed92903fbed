"""`saasus-mcp call`: call one tool through the pipeline that MCP clients use."""

from __future__ import annotations

import json
import sys

from saasus_mcp.catalog import Catalogue, Operation, UnknownTool
from saasus_mcp.catalog.jobs import JOB_PREFIX, load_jobs
from saasus_mcp.cli.command_line import argument, command
from saasus_mcp.cli.completion import complete_operations
from saasus_mcp.cli.exit_status import point_to_arguments, print_failure, status_of_answer
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.options import json_failure_option, settings_options
from saasus_mcp.cli.output import print_json
from saasus_mcp.cli.sandbox.sandbox_state import fresh_option
from saasus_mcp.cli.session import open_session, read_json_argument
from saasus_mcp.cli.terminal import reader_language, say
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import visible_text
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.settings.environment import Settings

_MAX_NAME = 80


@command(help="cli_help.command.call")
@settings_options()
@fresh_option
@json_failure_option
@argument("name", shell_complete=complete_operations)
@argument("arguments", metavar="[JSON]", default="{}")
def call(settings: Settings, *, name: str, arguments: str, fresh: bool) -> None:
    """Print the answer of a tool, or the reason why it has none."""
    given = read_json_argument(arguments)
    with open_session(settings, fresh=fresh) as session:
        find_operation(session.pipeline.catalogue, name)
        session.announce()
        answer = session.run(Call(name, given, local_user()), session.pipeline.run)
    if not answer.ok:
        print_failure(answer)
        point_to_arguments(answer.failure.message if answer.failure else None, name)
        sys.exit(status_of_answer(answer))
    if answer.failure is not None:  # it was not sent, since it would change nothing
        print_json(answer.structured)
        say(visible_text(answer.cause_in(reader_language())), err=True)
        return
    document, _, notes = answer.text.partition("\n")
    print_json(json.loads(document))
    if notes:
        say(visible_text(notes), err=True)


def find_operation(catalogue: Catalogue, name: str) -> Operation:
    """Return the operation with this name.

    Raises:
        SaasusMcpError: no operation has it; the hint names the nearest ones.
    """
    try:
        return catalogue.find(name)
    except UnknownTool as error:
        hint = message("cli.unknown_tool_hint")
        if name in {job.name for job in load_jobs()}:
            hint = message("cli.is_a_job", name=name.removeprefix(JOB_PREFIX))
        elif error.nearest:
            hint = message("cli.nearest_names", names=tuple(error.nearest))
        raise SaasusMcpError(message("cli.unknown_tool", name=name[:_MAX_NAME]), hint) from None

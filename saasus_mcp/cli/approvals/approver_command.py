"""`saasus-mcp approver`: set and clear the passphrase that `approve` and `reveal` ask for."""

from __future__ import annotations

from saasus_mcp.cli.command_line import Group
from saasus_mcp.cli.local_user import record_decision
from saasus_mcp.cli.options import json_outcome_option, settings_options
from saasus_mcp.cli.output import print_outcome
from saasus_mcp.cli.terminal import TerminalError, prompt_hidden, require_passphrase, require_person
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.action_records import ActionKind
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.settings.environment import Settings

approver = Group("approver", help="cli_help.command.approver")


@approver.command("set", help="cli_help.command.approver_set")
@json_outcome_option
@settings_options("lang")
def set_passphrase(settings: Settings) -> None:
    """Ask for the current passphrase, then twice for the new one, and set it."""
    require_person("approver set")
    require_passphrase(settings.state_folder, message("cli_approvals.current_passphrase"))
    shortest = passphrase.MIN_LENGTH
    new = prompt_hidden(message("cli_approvals.new_passphrase", shortest=shortest))
    if passphrase.is_too_short(new):
        raise TerminalError(message("cli_approvals.passphrase_too_short", shortest=shortest))
    if prompt_hidden(message("cli_approvals.repeat_passphrase")) != new:
        raise TerminalError(message("cli_approvals.passphrases_differ"))
    record_decision(settings, ActionKind.PASSPHRASE_SET)
    passphrase.save_passphrase(settings.state_folder, new)
    print_outcome({"passphrase": True}, message("cli_approvals.passphrase_set"), message("cli.local_boundary"))


@approver.command("clear", help="cli_help.command.approver_clear")
@json_outcome_option
@settings_options("lang")
def clear_passphrase(settings: Settings) -> None:
    """Ask for the passphrase and remove it."""
    require_person("approver clear")
    if not passphrase.is_passphrase_set(settings.state_folder):
        print_outcome({"passphrase": False}, message("cli_approvals.no_passphrase"))
        return
    require_passphrase(settings.state_folder, message("cli_approvals.current_passphrase"))
    record_decision(settings, ActionKind.PASSPHRASE_CLEARED)
    passphrase.clear_passphrase(settings.state_folder)
    print_outcome({"passphrase": False}, message("cli_approvals.passphrase_cleared"))

"""The policy in force: a file or a preset, and how it is reloaded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from saasus_mcp.cli import state
from saasus_mcp.cli.destination import SANDBOX_PROFILE
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import PRESETS, ReadOnlyPolicy, unwrap_policy
from saasus_mcp.settings.environment import Mode, Settings
from saasus_mcp.settings.profiles import profile_names

if TYPE_CHECKING:
    from saasus_mcp.catalog import Catalogue
    from saasus_mcp.permissions.policy.file import ReloadResult

_log = logging.getLogger(__name__)


def resolve_policy(settings: Settings, catalogue: Catalogue | None = None) -> Policy:
    """Return the policy in force: from the policy file or a preset, limited to reads if the settings say so.

    `policy reload` and SIGHUP read a policy file again, unless the settings have its content: then the one that gave it decides when
    it changes. A file with errors leaves the policy as it is.

    Raises:
        PolicyError: the file has errors.
    """
    if settings.policy is not None:
        from saasus_mcp.permissions.policy import file as policy_file  # noqa: PLC0415 - only where a file is used

        given = settings.contents.policy if settings.contents is not None else None
        policy = policy_file.ReloadablePolicy(settings.policy, catalogue, given)
        if settings.contents is None:
            policy_file.reload_on_sighup(policy, make_reload_recorder(settings, policy))
        return limit_to_reads(policy, settings)
    return PRESETS[preset_name(settings)]


def unserved_profiles(policy: Policy, settings: Settings) -> tuple[str, ...]:
    """Return the profiles that rules name and these settings do not have, such as misspelt ones. Their rules never apply here."""
    inner = unwrap_policy(policy)
    named: frozenset[str] = getattr(getattr(inner, "inner", inner), "profiles", frozenset())
    return tuple(sorted(named - {settings.profile, SANDBOX_PROFILE, *profile_names(settings)})) if named else ()


def warn_of_unserved_profiles(policy: Policy, settings: Settings) -> None:
    """Log the profiles that rules name and these settings do not have."""
    if unserved := unserved_profiles(policy, settings):
        _log.warning("%s", message("policy.unserved_profiles", name=policy.name, profiles=unserved))


def limit_to_reads(policy: Policy, settings: Settings) -> Policy:
    """Return the policy, limited to reads if the settings say so."""
    return ReadOnlyPolicy(policy) if preset_name(settings) == "read-only" else policy


def preset_name(settings: Settings) -> Mode:
    """Return the preset that applies without a policy file."""
    return "read-only" if settings.read_only else settings.mode or "guarded"


def accept_policy_reloads(settings: Settings, policy: Policy) -> AbstractContextManager[object]:
    """Let `policy reload` reach this process while the context lasts, if it runs under a policy file."""
    if settings.policy is None or settings.contents is not None:
        return nullcontext()
    from saasus_mcp.permissions.policy import file as policy_file  # noqa: PLC0415 - only where a file is used
    from saasus_mcp.permissions.policy import reload  # noqa: PLC0415 - as above

    inner = policy_file.reloadable_policy(policy)
    if inner is None:
        return nullcontext()
    return reload.ReloadListener(settings.state_folder, inner, make_reload_recorder(settings, inner))


def make_reload_recorder(settings: Settings, policy: Policy | None = None) -> Callable[[ReloadResult], None]:
    """Return a function that logs a reload and records it in a thread: a signal may interrupt a transaction.

    Args:
        policy: what is reloaded, if this process uses it.
    """
    from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord  # noqa: PLC0415 - as above
    from saasus_mcp.permissions.policy import file as policy_file  # noqa: PLC0415 - only where a file is used

    def record(result: ReloadResult) -> None:
        kind = ActionKind.POLICY_TAKEN if result.accepted else ActionKind.POLICY_REFUSED
        user, subject = local_user(), str(settings.policy)
        action = ActionRecord(kind, user.id, "server", subject=subject, reason=str(result.message), person=user.person)
        try:
            with state.open_state(settings) as stores:
                state.record_decision(stores, action)
        except SaasusMcpError as error:
            _log.error("a reload of the policy could not be recorded: %s", error)

    def log_and_record(result: ReloadResult) -> None:
        policy_file.log_reload(result)
        if result.accepted and policy is not None:
            warn_of_unserved_profiles(policy, settings)
        threading.Thread(target=record, args=(result,), name="policy record").start()

    return log_and_record

"""The configuration and the policy that all workers have: read and checked once, and given to each as contents."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from saasus_mcp.cli.policy_in_force import make_reload_recorder, resolve_policy, warn_of_unserved_profiles
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.hosting.console.caller_identity import require_two_people
from saasus_mcp.permissions.policy import yaml_reader
from saasus_mcp.permissions.policy.file import ReloadResult, log_reload, reloadable_policy
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.settings.config import load_http_settings, read_config
from saasus_mcp.settings.environment import FileContents, Settings
from saasus_mcp.settings.hosting import HttpSettings
from saasus_mcp.settings.validation import SettingsError

FIXED = ("host", "port", "public_url", "authenticated", "workers")
"""The settings that only a restart changes: the port stays open as these allowed when it was bound."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Contents that passed every check that needs no worker.

    Attributes:
        settings: with the contents.
        policy: of these contents.
        result: what a reload with them tells.
    """

    settings: Settings
    http: HttpSettings
    policy: Policy
    result: ReloadResult


class WorkerFiles:
    """Reads the files at the start, at SIGHUP and at `policy reload`. What it accepts is what every worker gets.

    Attributes:
        read_at: start of the last read, in nanoseconds since the epoch.
        replace_workers: gives new contents to all workers, and returns False if none could start with them.
        give_policy: puts a new policy into force in all workers.
    """

    def __init__(self, settings: Settings, http: HttpSettings) -> None:
        """Read the files for the first time.

        Args:
            http: the settings under which the port is bound.

        Raises:
            SaasusMcpError: they cannot be used.
        """
        self._settings = settings
        self._fixed = fixed_settings(http)
        self.say = make_reload_recorder(settings) if settings.policy else log_reload
        self.replace_workers: Callable[[Accepted], bool] = lambda _: True
        self.give_policy: Callable[[Accepted], None] = lambda _: None
        self.read_at = time.time_ns()
        self.accepted = self._check(self._read())
        self.last_result = self.accepted.result

    @property
    def file(self) -> Path:
        return self._settings.policy or Path()

    def reload(self) -> ReloadResult:
        """Read the policy file again, and not the configuration, which `policy reload` does not speak of. Never raises."""
        result = self._renew(lambda: replace(self._contents, policy=self._read_policy()), self.give_policy)
        if result.accepted:  # workers that start warn by themselves
            warn_of_unserved_profiles(self.accepted.policy, self.accepted.settings)
        return result

    def reload_all(self) -> None:
        """Read both files again, and report the result."""
        self.say(self._renew(self._read, self._replace_workers))

    @property
    def _contents(self) -> FileContents:
        return self.accepted.settings.contents or FileContents(None, None)

    def _replace_workers(self, new: Accepted) -> None:
        if not self.replace_workers(new):
            raise SaasusMcpError.of("cli_serve.no_new_worker")

    def _renew(self, read: Callable[[], FileContents], apply: Callable[[Accepted], None]) -> ReloadResult:
        self.read_at = time.time_ns()
        try:
            new = self._check(read())
            apply(new)
        except SaasusMcpError as error:
            self.last_result = ReloadResult(
                accepted=False, message=message("cli_serve.files_refused", why=error).both()
            )
        else:
            self.accepted, self.last_result = new, new.result
        return self.last_result

    def _read(self) -> FileContents:
        return FileContents(read_config(self._settings.config_file), self._read_policy())

    def _read_policy(self) -> bytes | None:
        return None if self._settings.policy is None else yaml_reader.read_content(self._settings.policy)

    def _check(self, contents: FileContents) -> Accepted:
        """Raise SaasusMcpError if workers cannot have these contents."""
        settings = replace(self._settings, contents=contents)
        http = load_http_settings(settings)
        require_same(self._fixed, http)
        policy = resolve_policy(settings)
        require_two_people(policy, http)
        inner = reloadable_policy(policy)
        unread = ReloadResult(accepted=True, message=message("cli_serve.files_accepted").both())
        return Accepted(settings, http, policy, inner.last_result if inner is not None else unread)


def fixed_settings(http: HttpSettings) -> dict[str, object]:
    return {name: getattr(http, name) for name in FIXED}


def require_same(fixed: dict[str, object], http: HttpSettings) -> None:
    """Check that workers would serve the port as it was bound.

    Raises:
        SettingsError: a setting that only a restart changes was changed.
    """
    for name, value in fixed_settings(http).items():
        if value != fixed[name]:
            raise SettingsError.of("cli_serve.needs_restart", field=name)

"""What a server over HTTP tells its operator once it serves: its addresses, and what is unusual in its settings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from saasus_mcp.cli.serve import console_composition
from saasus_mcp.cli.terminal import render, warn
from saasus_mcp.common.messages import Localized, message
from saasus_mcp.common.text import visible_text
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.console.routes import Console
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.hosting import HttpSettings

log = logging.getLogger("saasus_mcp.hosting")


@dataclass
class ServerAddress:
    """The address of the server, once it listens."""

    http: HttpSettings
    port: int
    has_console: bool = False

    @property
    def console_url(self) -> str:
        """The URL of the console; empty without a console."""
        return f"{self.url}/console" if self.has_console else ""

    @property
    def url(self) -> str:
        if self.http.authenticated:
            return self.http.public_url
        host = self.http.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Announcement:
    """The lines for the operator: as text, or in the log if programs read it.

    Args:
        address: of the server, which listens.
    """

    settings: Settings
    http: HttpSettings
    served: Mapping[str, ServedProfile]
    policy: Policy
    address: ServerAddress
    console: Console | None

    def print(self) -> None:
        """Print all lines."""
        self._print_addresses()
        self._print_warnings()
        self._print_console()

    @property
    def _is_text(self) -> bool:
        return self.settings.log_format == "text"

    def _tell(self, text: Localized | str, level: int = logging.INFO) -> None:
        if self._is_text:
            warn(text)
        else:
            log.log(level, visible_text(render(text)))

    def _print_addresses(self) -> None:
        url = self.address.url
        urls = [f"{url}/mcp", *(f"{url}/mcp/{name}" for name in self.served if len(self.served) > 1)]
        self._tell(message("cli_serve.mcp_at", urls=", ".join(urls)))
        if not self.http.authenticated:
            self._tell(message("cli_serve.this_computer_only"))

    def _print_warnings(self) -> None:
        """Print what an operator must know, at a level that a log keeps."""
        if self.http.authenticated:
            for name, each in self.served.items():
                if not each.groups:
                    self._tell(message("cli_serve.profile_without_groups", name=name), logging.WARNING)
        if self.policy.announcement:
            self._tell(self.policy.announcement, logging.WARNING)

    def _print_console(self) -> None:
        """Print the address of the console. Without a way to sign in, print a link that signs in once."""
        console, url = self.console, self.address.console_url
        if console is None:
            if self.http.console.enabled and not self.http.authenticated:
                self._tell(message("cli_serve.console_without_workers"))
            return
        if console.signin.verify_token is not None or console.signin.provider is not None:
            self._tell(message("cli_serve.console_at", url=url))
            return
        if self._is_text:  # a log is collected and kept, and the link signs in
            self._tell(message("cli_serve.console_link", url=console_composition.signin_link(console, url)))
        if not self.http.authenticated:
            self._tell(message("cli_serve.console_new_link"))

"""Where the stores of every SaaS are: in a folder of this machine, or in a database that several servers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from saasus_mcp.store.records import Freeze

if TYPE_CHECKING:
    from saasus_mcp.store.store import Store
    from saasus_mcp.store.tokens import TokenStore

SCHEMA_PREFIX = "saasus_mcp_of_"
"""Before the name of each store in a shared database, where other things have names too."""


class Stores(Protocol):
    """Opens stores. Whoever opens one closes it, before this is closed."""

    @property
    def shared(self) -> bool:
        """Whether servers on other machines use them too."""
        ...

    @property
    def names(self) -> list[str]:
        """What tells the stores that there are from each other.

        Raises:
            StoreError: it cannot be seen.
        """
        ...

    @property
    def audited_names(self) -> list[str]:
        """The same, and the store of decisions where there is one: everything that has an audit.

        Raises:
            StoreError: it cannot be seen.
        """
        ...

    def open(self, name: str) -> Store:
        """The store of this name.

        Raises:
            StoreError: it cannot be used.
        """
        ...

    def open_saas(self, saas_id: str) -> Store:
        """The store of a SaaS, made where it is missing.

        Raises:
            StoreError: it cannot be made or used.
        """
        ...

    def open_decisions(self) -> Store:
        """The store of what is decided for every SaaS at once (tokens, the policy, a freeze of everything), made where it
        is missing. Only its audit is used.

        Raises:
            StoreError: it cannot be made or used.
        """
        ...

    def require_key(self, saas_id: str) -> None:
        """See that the store of a SaaS may be written to, and where that is new, any other one.

        Raises:
            WrongKey: none of the keys is theirs.
            StoreError: it cannot be seen.
        """
        ...

    def open_tokens(self) -> TokenStore:
        """Whose tokens are believed.

        Raises:
            StoreError: they cannot be kept.
        """
        ...

    def set_freeze(self, freeze: Freeze | None) -> None:
        """Hold the writes of every store back, those made later included, or with None let them go again.

        Raises:
            StoreError: it cannot be written.
        """
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...

"""The stores of every SaaS: in a folder of this machine, or in a database that replicas share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from saasus_mcp.store.records import Freeze
    from saasus_mcp.store.store import Store
    from saasus_mcp.store.tokens import TokenStore

SCHEMA_PREFIX = "saasus_mcp_of_"
"""Of the schema of each store in a shared database."""


class Stores(Protocol):
    """Opens stores. The caller closes each store before closing this object.

    Every member but `shared` raises StoreError if a store, or what belongs to all of them, cannot be listed, created or used.
    """

    @property
    def shared(self) -> bool:
        """True if servers on other machines use the stores too."""
        ...

    @property
    def names(self) -> list[str]:
        """The names of the existing stores."""
        ...

    @property
    def audited_names(self) -> list[str]:
        """The names of everything with an audit log: the stores, and the store of decisions if it exists."""
        ...

    def open(self, name: str) -> Store:
        """Open the store with this name."""
        ...

    def open_saas(self, saas_id: str) -> Store:
        """Open the store of a SaaS, or create it."""
        ...

    def open_decisions(self) -> Store:
        """Open or create the store of decisions for every SaaS: tokens, policy, freeze. Only its audit log is used."""
        ...

    def require_key(self, saas_id: str) -> None:
        """Check the keys against the store of a SaaS or, if that is new, against the other stores.

        Raises:
            WrongKey: no key of this process belongs to a store.
        """
        ...

    def open_tokens(self) -> TokenStore: ...

    def set_freeze(self, freeze: Freeze | None) -> None:
        """Freeze the writes of every store, later stores included, or lift the freeze with None."""
        ...

    def close(self) -> None:
        """Close the database."""
        ...

"""What the steps of all calls to one destination share, and the observer of these calls."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from typing import TYPE_CHECKING

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.wrappers import NarrowedPolicy
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretReferences, SecretVault, no_references
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.deadline import CALL_SECONDS
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.results.result_store import ANSWER_BUDGET
from saasus_mcp.server.scheduling.fair_queue import FairQueue
from saasus_mcp.server.scheduling.store_executor import StoreExecutor, run_inline
from saasus_mcp.server.scheduling.write_group import WriteGroup

if TYPE_CHECKING:
    from saasus_mcp.store.store import Store

RevocationCheck = Callable[[Principal], Awaitable[bool]]
"""Returns whether the caller's token was revoked since the request. Raises StoreError if that is not known now."""


async def never_revoked(_: Principal) -> bool:
    """Return False, for callers without a token of this server."""
    return False


class CallObserver:
    """Sees every call, internal reads included, and ignores it. A subclass changes nothing and raises nothing."""

    def call_refused(self, operation: str, why: str) -> None:
        """Observe a call that was not sent.

        Args:
            operation: the key of the operation. Empty if there is no such operation.
            why: the reason, as the audit log records it.
        """

    def call_started(self, operation: Operation) -> None:
        """Observe a call that is about to be sent."""

    def call_ended(self, operation: Operation, answer: ToolAnswer, seconds: float) -> None:
        """Observe the answer of a started call."""


@dataclass(kw_only=True, eq=False)
class PipelineContext:
    """What the steps of all calls to one destination share.

    Attributes:
        policy: in force, under the narrowing of each caller's connection.
        open_store: opens the store. The first call does, so that a client that only lists tools does not wait for it.
        budget: bytes of JSON in one answer.
        console_url: returns the address of the console, or an empty text if no console runs.
        is_hosted: whether it serves over HTTP. Its console then lifts the freeze of a profile, and not that of everything.
        call_queue: the slots for calls at the API.
        call_seconds: the time limit of a call.
        is_revoked: asked after each wait, and for each call of a job, because only requests are authenticated.
    """

    catalogue: Catalogue
    policy: Policy
    client: ApiClient
    open_store: Callable[[], Store]
    encryptor: Encryptor
    destination: Destination
    language: Language = "en"
    zone: tzinfo | None = None
    clock: Callable[[], float] = time.time
    references: SecretReferences = no_references
    budget: int = ANSWER_BUDGET
    observer: CallObserver = field(default_factory=CallObserver)
    store_executor: StoreExecutor = run_inline
    console_url: Callable[[], str] = str
    is_hosted: bool = False
    call_queue: FairQueue = field(default_factory=FairQueue)
    call_seconds: float = CALL_SECONDS
    is_revoked: RevocationCheck = never_revoked

    def __post_init__(self) -> None:
        self.policy = NarrowedPolicy(self.policy)

    @property
    def reader(self) -> Reader:
        """The language and the time zone of what people read."""
        return Reader.of(self.language, self.zone)

    @cached_property
    def store(self) -> Store:
        """The store, opened by the first access."""
        return self.open_store()

    @cached_property
    def write_group(self) -> WriteGroup | None:
        """The group in which jobs write to a file. None for a database, in which they write side by side."""
        return WriteGroup(self.store) if self.store.is_file else None

    @cached_property
    def vault(self) -> SecretVault:
        """The secrets behind handles. The first access opens the store."""
        return SecretVault(self.store, self.encryptor, self.clock, self.references)

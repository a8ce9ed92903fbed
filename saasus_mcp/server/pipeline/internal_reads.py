"""The reads that questions, decisions and verifications need. They are decided on and audited like any other call."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.inspection.target import ReadFailure, ReadResult
from saasus_mcp.saasus.arguments import secret_handles
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.saasus.encoded_secrets import STRONG
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.secret_paths import secret_values
from saasus_mcp.server.pipeline.call_sender import CallSender
from saasus_mcp.server.pipeline.context import PipelineContext
from saasus_mcp.server.pipeline.prepared_call import Authorized, PreparedCall, prepare_internal_call

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InternalReader:
    """Makes the internal reads of one call (an `ApiReader`). A closure that calls itself would be garbage in a cycle after every call.

    No narrowing applies to them: a caller must not hide the impact of a call from a rule or from the person.
    """

    sender: CallSender
    parent: PreparedCall
    deadline: Deadline

    def before_call(self) -> InternalReader:
        """Return the reader for what is read before the call is sent, which leaves time for the call itself."""
        return InternalReader(self.sender, self.parent, self.deadline.for_preliminary_reads())

    async def __call__(self, key: str, arguments: Mapping[str, Any]) -> ReadResult:
        sender, parent = self.sender, self.parent
        context, principal = sender.context, parent.principal.without_narrowing
        try:
            operation = context.catalogue.find(key)
            call = prepare_internal_call(operation, arguments, principal, self.deadline, parent)
        except SaasusMcpError as error:
            return ReadResult(read_error=error.message.both())
        generation = context.policy.generation
        decision = await sender.authorizer.decide(call, self)
        if not call.operation.reads or decision.outcome != "allow":
            await sender.recorder.record_refusal(call, Authorized(decision), "denied")
            return ReadResult(read_error=ReadFailure.NOT_ALLOWED)
        answer = await sender.send(call, Authorized(decision, generation=generation), self)
        if not answer.ok:
            failure = f"HTTP {answer.status}" if answer.status else ReadFailure.NO_ANSWER
            return ReadResult(read_error=failure, status=answer.status)
        if parent.operation.secret_inputs:  # no other argument can be a secret or a handle
            known = await _known_secrets(parent, context)
            if known.redact(answer.structured) is not answer.structured:
                return ReadResult(read_error=ReadFailure.REPEATS_SECRET, status=answer.status)
        return ReadResult(answer.structured, status=answer.status)


async def _known_secrets(parent: PreparedCall, context: PipelineContext) -> KnownSecrets:
    """Return the longer secrets among the arguments of a call, with those behind valid handles.

    Short secrets also occur in unrelated names, so they are left out.
    """
    arguments = parent.arguments
    try:
        if secret_handles(arguments):
            arguments = await context.store_executor(
                lambda: context.vault.resolve(parent.arguments, parent.principal.id, context.destination.profile)
            )
    except SaasusMcpError:
        log.info("a secret handle of call %s is no longer valid", parent.id)
    return KnownSecrets(text for text in secret_values(parent.operation, arguments) if len(text) >= STRONG)

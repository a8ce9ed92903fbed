"""Who may start a job: by the policy, and by the connection, which may exclude the job or an operation of it."""

from __future__ import annotations

from collections.abc import Collection

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.jobs import JOBS_TOOLSET, JobSpec
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.policy.model import PolicyInput, Principal
from saasus_mcp.permissions.policy.wrappers import NARROWED_HINT
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.pipeline.call_pipeline import Pipeline


def acting_principal(spec: JobSpec, principal: Principal) -> Principal:
    """Return the principal as the job acts for them. A job of any calls keeps the narrowing of the connection for each call."""
    return principal if spec.writes_any else principal.for_job(spec.name)


def could_allow(pipeline: Pipeline, spec: JobSpec, principal: Principal) -> bool:
    """Return False if the policy denies every such job."""
    policy, catalogue, profile = pipeline.policy, pipeline.catalogue, pipeline.destination.profile
    if spec.writes_any:
        if principal.narrowing.exclusion_reason_by_name(spec.name, JOBS_TOOLSET):
            return False
        writes = (operation for operation in catalogue if not operation.reads)
        return any(policy.could_allow(operation, principal, profile) for operation in writes)
    principal = principal.for_job(spec.name)
    return all(policy.could_allow(catalogue.find(key), principal, profile) for key in (*spec.reads, *spec.writes))


def require_not_narrowed(catalogue: Catalogue, spec: JobSpec, principal: Principal) -> None:
    """Raise CallRefused if the connection excludes the job, or an operation that it may call."""
    if excluded := principal.narrowing.exclusion_reason_by_name(spec.name, JOBS_TOOLSET):
        error = message("jobs.tool_excluded", job=spec.name, reason=excluded)
        raise CallRefused(Reason.NARROWED, error, NARROWED_HINT)
    if spec.writes_any:
        return  # each call is decided on under the narrowing of the connection
    require_calls_not_narrowed(catalogue, spec, (*spec.reads, *spec.writes), principal.for_job(spec.name))


def require_calls_not_narrowed(
    catalogue: Catalogue, spec: JobSpec, keys: Collection[str], principal: Principal
) -> None:
    """Raise CallRefused if the connection excludes an operation."""
    for operation in map(catalogue.find, keys):
        if excluded := principal.narrowing.exclusion_reason(operation):
            error = message("jobs.operation_excluded", job=spec.name, tool=operation.tool, reason=excluded)
            raise CallRefused(Reason.NARROWED, error, NARROWED_HINT)


def require_reads_allowed(pipeline: Pipeline, spec: JobSpec, principal: Principal) -> None:
    """Raise CallRefused if the policy denies a read of the job, before the job makes half of them."""
    policy, profile = pipeline.policy, pipeline.destination.profile
    for operation in map(pipeline.catalogue.find, spec.reads):
        if not policy.could_allow(operation, principal, profile):
            denied = policy.decide(PolicyInput(operation, {}, principal, profile)).reason
            names = {"job": spec.name, "tool": operation.tool}
            raise CallRefused.because(Reason.DENIED, "jobs.read_denied", **names, reason=denied)

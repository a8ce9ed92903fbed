"""The one signed read of `doctor`, which checks signature, clock and SaaS."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli import composition
from saasus_mcp.cli.destination import resolve_destination
from saasus_mcp.cli.doctor.checks import Finding
from saasus_mcp.cli.terminal import render
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import plain_text
from saasus_mcp.saasus import arguments, request
from saasus_mcp.saasus.client import ApiResponse, SendFailed
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.settings.environment import Settings

PROBE_OPERATION = "auth.GetBasicInfo"
REQUEST_TIMEOUT = 10.0
TOTAL_TIMEOUT = 25.0
"""Seconds for all attempts together."""
CLOCK_TOLERANCE = timedelta(minutes=2)
UNAUTHORIZED, FORBIDDEN = 401, 403
SUCCESS = range(200, 300)


async def check_api(settings: Settings) -> list[Finding]:
    """Make a cheap signed read and judge the response."""
    catalogue = load_catalogue()
    operation = catalogue.find(PROBE_OPERATION)
    sent = request.build_request(operation, arguments.check_arguments(operation, {}))
    brief = replace(settings, timeout=min(settings.timeout, REQUEST_TIMEOUT))
    try:
        async with composition.build_client(brief, catalogue) as client:
            response = await client.send(operation, sent, secrets.token_hex(16), deadline=Deadline.after(TOTAL_TIMEOUT))
            known = client.secrets
    except SendFailed as error:
        return [_unreachable(error), _check_clock(None)]
    skew = _skew(response, datetime.now(UTC))
    saas_id = resolve_destination(settings).saas_id
    found = [_check_signature(response, skew), _check_clock(skew), _check_saas(response, saas_id)]
    return [replace(each, text=known.text(render(each.text))) for each in found]


def _unreachable(error: SendFailed) -> Finding:
    """Return which part of the network failed, as far as it is known."""
    if error.fault is None:
        text = message("cli_doctor.unreached", reason=error.message)
        return Finding("signature", "problem", text, message("cli_doctor.unreached_hint"))
    text = message("cli_doctor.unreachable", reason=error.fault.message)
    return Finding("signature", "problem", text, error.fault.hint)


def _skew(response: ApiResponse, now: datetime) -> timedelta | None:
    """Return how far this computer's clock is ahead of the API's, or None if the response has no time."""
    sent_at = response.sent_at
    if sent_at is None:
        return None
    return now - (sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC))


def _skew_text(skew: timedelta) -> Message:
    minutes = round(abs(skew) / timedelta(minutes=1))
    return message("cli_doctor.clock_ahead" if skew > timedelta() else "cli_doctor.clock_behind", minutes=minutes)


def _check_clock(skew: timedelta | None) -> Finding:
    if skew is None:
        return Finding("clock", "skipped", message("cli_doctor.clock_unknown"))
    if abs(skew) > CLOCK_TOLERANCE:
        return Finding("clock", "problem", _skew_text(skew), message("cli_doctor.clock_hint"))
    return Finding("clock", "ok", message("cli_doctor.clock_ok"))


def _check_signature(response: ApiResponse, skew: timedelta | None) -> Finding:
    """Judge the status. After a 401, a wrong clock is the likely cause."""
    status, trace = response.status, plain_text(response.trace_id)
    if status in SUCCESS and _body(response) is not None:
        return Finding("signature", "ok", message("cli_doctor.signature_ok"))
    if status in SUCCESS:
        text, hint = message("cli_doctor.not_saasus", status=status), message("cli_doctor.not_saasus_hint")
    elif status == UNAUTHORIZED and skew is not None and abs(skew) > CLOCK_TOLERANCE:
        text = message("cli_doctor.refused_clock", trace=trace, clock=_skew_text(skew))
        hint = message("cli_doctor.clock_hint")
    elif status == UNAUTHORIZED:
        text, hint = message("cli_doctor.refused", trace=trace), message("cli_doctor.refused_hint")
    elif status == FORBIDDEN:
        text, hint = message("cli_doctor.forbidden", trace=trace), message("cli_doctor.forbidden_hint")
    else:
        text = message("cli_doctor.unclear", status=status, trace=trace)
        hint = message("cli_doctor.unclear_hint")
    return Finding("signature", "problem", text, hint)


def _check_saas(response: ApiResponse, saas_id: str) -> Finding:
    """Report which SaaS it is, so that production is not mistaken for another."""
    body, saas = _body(response), plain_text(saas_id)
    if response.status not in SUCCESS or body is None:
        return Finding("saas", "skipped", saas)
    domain = plain_text(str(body.get("domain_name") or "")) or message("cli_doctor.domain_not_set")
    return Finding("saas", "ok", message("cli_doctor.saas_ok", saas=saas, domain=domain))


def _body(response: ApiResponse) -> dict[str, Any] | None:
    """Return the body as an object, or None if it is something else, which the API never sends."""
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None

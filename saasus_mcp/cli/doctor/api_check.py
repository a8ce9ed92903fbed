"""The one signed read of `doctor`, and what its answer tells: signature, clock and SaaS."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli import composition
from saasus_mcp.cli.doctor.checks import Finding
from saasus_mcp.cli.doctor_wording import WORDS
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import plain_text
from saasus_mcp.saasus import arguments, request
from saasus_mcp.saasus.client import ApiResponse, SendFailed
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.settings import Settings

PROBE_OPERATION = "auth.GetBasicInfo"
REQUEST_TIMEOUT = 10.0
TOTAL_TIMEOUT = 25.0
"""Seconds for all attempts together."""
CLOCK_TOLERANCE = timedelta(minutes=2)
UNAUTHORIZED, FORBIDDEN = 401, 403
SUCCESS = range(200, 300)


async def check_api(settings: Settings) -> list[Finding]:
    """Read something cheap from the API, signed, and judge the answer."""
    catalogue = load_catalogue()
    operation = catalogue.find(PROBE_OPERATION)
    sent = request.build_request(operation, arguments.check_arguments(operation, {}))
    brief = settings.model_copy(update={"timeout": min(settings.timeout, REQUEST_TIMEOUT)})
    try:
        async with composition.build_client(brief, catalogue) as client:
            response = await client.send(operation, sent, secrets.token_hex(16), deadline=Deadline.after(TOTAL_TIMEOUT))
            known = client.secrets
    except SendFailed as error:
        return [_unreached(error, settings.lang), _clock(None, settings.lang)]
    skew = _skew(response, datetime.now(UTC))
    found = [
        _signature(response, skew, settings.lang),
        _clock(skew, settings.lang),
        *_saas(response, composition.resolve_place(settings).saas_id, settings.lang),
    ]
    return [replace(each, said=known.text(each.said)) for each in found]


def _unreached(error: SendFailed, lang: Language) -> Finding:
    """Which part of the network failed, as far as that is known."""
    words = WORDS[lang]
    if error.fault is None:
        return Finding("signature", "problem", words["unreached"].format(why=error.message), words["unreached_mend"])
    why, mend = error.fault.words(lang)
    return Finding("signature", "problem", words["no_network"].format(why=why), mend)


def skip_signature_check(lang: Language) -> Finding:
    """Nothing can be signed without credentials."""
    return Finding("signature", "skipped", WORDS[lang]["signature_skipped"])


def _skew(response: ApiResponse, now: datetime) -> timedelta | None:
    """How far this computer's clock is ahead of the API's; None where the answer does not tell the time."""
    if response.date is None:
        return None
    theirs = response.date if response.date.tzinfo else response.date.replace(tzinfo=UTC)
    return now - theirs


def _off(skew: timedelta, lang: Language) -> dict[str, Any]:
    way = WORDS[lang]["ahead" if skew > timedelta() else "behind"]
    return {"minutes": round(abs(skew) / timedelta(minutes=1)), "way": way}


def _clock(skew: timedelta | None, lang: Language) -> Finding:
    words = WORDS[lang]
    if skew is None:
        return Finding("clock", "skipped", words["clock_unknown"])
    if abs(skew) > CLOCK_TOLERANCE:
        return Finding("clock", "problem", words["clock_off"].format(**_off(skew, lang)), words["clock_mend"])
    return Finding("clock", "ok", words["clock_ok"])


def _signature(response: ApiResponse, skew: timedelta | None, lang: Language) -> Finding:
    """What the status says of the signature; after a 401 a wrong clock is the first suspect."""
    words = WORDS[lang]
    told: dict[str, Any] = {"status": response.status, "trace": plain_text(response.trace_id)}
    if response.status in SUCCESS:
        if _body(response) is None:
            return Finding("signature", "problem", words["stranger"].format(**told), words["stranger_mend"])
        return Finding("signature", "ok", words["signature_ok"])
    if response.status == UNAUTHORIZED and skew is not None and abs(skew) > CLOCK_TOLERANCE:
        said = words["refused_clock"].format(**told, **_off(skew, lang))
        return Finding("signature", "problem", said, words["clock_mend"])
    kind = {UNAUTHORIZED: "refused", FORBIDDEN: "forbidden"}.get(response.status, "answered")
    return Finding("signature", "problem", words[kind].format(**told), words[f"{kind}_mend"])


def _saas(response: ApiResponse, saas_id: str, lang: Language) -> list[Finding]:
    """Which SaaS it is, so that nobody works on production in the belief that it is another."""
    words = WORDS[lang]
    body = _body(response)
    if response.status not in SUCCESS or body is None:
        return [Finding("saas", "skipped", words["saas_unread"].format(saas=plain_text(saas_id)))]
    domain = plain_text(str(body.get("domain_name") or "")) or words["no_domain"]
    return [Finding("saas", "ok", words["saas_ok"].format(saas=plain_text(saas_id), domain=domain))]


def _body(response: ApiResponse) -> dict[str, Any] | None:
    """The answer as an object; None where it is something else, which the API never sends."""
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None

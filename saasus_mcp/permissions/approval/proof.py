"""The proof of a person's consent, and the call that it is for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import one_line

if TYPE_CHECKING:
    from saasus_mcp.store.records import ProofUse


@dataclass(frozen=True, slots=True)
class Destination:
    """The credentials and SaaS of a call; `sandbox` if the SaaS is emulated."""

    profile: str
    saas_id: str
    sandbox: bool = False


@lru_cache
def describe_destination(place: Destination, language: Language) -> str:
    """Return the SaaS, profile and sandbox mark of a call, for people."""
    where = message("question.destination", saas=one_line(place.saas_id), profile=one_line(place.profile))
    return (message("question.sandbox_destination", destination=where) if place.sandbox else where).text(language)


@dataclass(frozen=True, slots=True)
class Binding:
    """One exact call: operation, request, principal and destination. Consent to one binding covers no other.

    Attributes:
        request: digest of the built request, with secret handles unresolved (saasus.request).
        target: identity of the target, equal for all variations of the call (permissions.inspection.target_identity).
    """

    operation: str
    request: str
    principal: str
    profile: str
    saas_id: str
    target: str = ""

    def digest(self) -> str:
        """Return the SHA-256 of the whole binding."""
        return json_digest(asdict(self))

    def subject(self) -> str:
        """Return the SHA-256 of the parts that variations of the call share. A rejection covers all of them."""
        return json_digest({**asdict(self), "request": ""})


@dataclass(frozen=True, slots=True)
class Proof:
    """Consent to one call: the record that the store uses up, the person who gave it, and the digest of the question.

    A step of a job uses up its entry in the job's grant instead (store.StepClaim).
    """

    use: ProofUse
    by: str
    question_digest: str = ""


def json_digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()

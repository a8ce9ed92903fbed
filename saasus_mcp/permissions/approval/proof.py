"""What a person's yes is for, and that it was given."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from saasus_mcp.common.language import Language
from saasus_mcp.common.text import one_line
from saasus_mcp.permissions.wording import WORDS
from saasus_mcp.store import ProofUse


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call goes: a set of credentials, and the SaaS that they open; `sandbox` where it is only emulated."""

    profile: str
    saas_id: str
    sandbox: bool = False


def describe_destination(place: Destination, language: Language) -> str:
    """The SaaS and profile that a call touches, and whether it is only the sandbox."""
    words = WORDS[language]
    at = words["where"].format(saas=one_line(place.saas_id), profile=one_line(place.profile))
    return words["sandbox"] + at if place.sandbox else at


@dataclass(frozen=True, slots=True)
class Binding:
    """Exactly what would be done, by whom and where. A yes to one binding is a yes to nothing else.

    Attributes:
        request: digest of the built request, secret handles unresolved (saasus.request).
        target: what the call is about, however its other arguments vary (permissions.target.identity).
    """

    operation: str
    request: str
    principal: str
    profile: str
    saas_id: str
    target: str = ""

    def digest(self) -> str:
        """SHA-256 over all of it."""
        return json_digest(asdict(self))

    def subject(self) -> str:
        """SHA-256 over what the call and its variations have in common: a rejection holds for all of them."""
        return json_digest({**asdict(self), "request": ""})


@dataclass(frozen=True, slots=True)
class Proof:
    """A yes that holds for one call: what the store uses up, who gave it, and the digest of what they were shown.

    A step of a job uses up its place in the job's grant instead of a yes of its own (store.Claim).
    """

    use: ProofUse
    by: str
    question_digest: str = ""


def json_digest(value: Any) -> str:
    """SHA-256 of a JSON value, by its canonical text."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()

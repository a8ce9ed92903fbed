"""The name and the e-mail address of a person, as an identity provider states them. They identify nobody: the principal id does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.text import one_line

MAX_NAME, MAX_EMAIL = 80, 254
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True, slots=True)
class Person:
    """How a person is shown beside their principal id. Both can be empty."""

    name: str = ""
    email: str = ""

    @property
    def label(self) -> str:
        """Name and address on one line; empty if both are unknown."""
        return f"{self.name} ({self.email})" if self.name and self.email else self.name or self.email

    def to_audit(self) -> dict[str, str]:
        """Return the known fields for the audit log."""
        if not self.name and not self.email:
            return {}
        known = {"principal_name": self.name, "principal_email": self.email}
        return {field: value for field, value in known.items() if value}


NOBODY = Person()


def read_person(claims: Mapping[str, Any], name_claim: str, email_claim: str) -> Person:
    """Return the person of a token's claims, bounded and visible. A claim of another form, or an unverified address, is left out."""
    name, email = claims.get(name_claim), claims.get(email_claim)
    shown = one_line(name.strip(), MAX_NAME) if isinstance(name, str) else ""
    verified = claims.get("email_verified", True) in (True, "true")
    valid = isinstance(email, str) and len(email) <= MAX_EMAIL and _EMAIL.fullmatch(email) is not None
    return Person(shown, str(email) if valid and verified else "")

"""Flaws of a credential that show before it is used: a placeholder, an example value, or characters added by copying."""

from __future__ import annotations

import re
from typing import Literal

CredentialFlaw = Literal["reference", "space", "quotes", "characters", "example"]

MAX_CREDENTIAL_CHARACTERS = 1024
"""A credential is sent in a header, and every pattern below takes linear time."""

EMBEDDED_REFERENCE = re.compile(r"\$\{[^{}]*\}|\{\{[^{}]*\}\}|\$\([^()]*\)|\[\[[^\[\]]*\]\]")
WHOLE_REFERENCE = re.compile(
    r"\$[\w:]+|%[^%\s]+%|<[^<>]*>|#?\{[^{}]*\}|@\w+@|!\w+!|__\w+__|(?:op|vault|secret|env|keyring|file):.*",
    re.IGNORECASE | re.DOTALL,
)
"""References of clients, shells, templates and secret managers to a variable. A program that does not know a form passes it on."""

QUOTES = "\"'`“”‘’「」『』«»„‚＂＇"  # noqa: RUF001 - as word processors and input methods write them
FIRST, LAST = "!", "~"
SEPARATORS = re.compile(r"[-_.]+")
REPEATED_CHARACTER = re.compile(r"(.)\1{2,}")
EXAMPLE_WORDS = frozenset({
    "your", "my", "insert", "enter", "put", "paste", "replace", "change", "changeme", "todo", "fixme", "dummy",
    "placeholder", "example", "sample", "here",
})  # fmt: skip
"""Words of which an example value has at least one..."""
NEUTRAL_WORDS = frozenset({
    "the", "a", "me", "this", "with", "actual", "real", "api", "saas", "saasus", "platform", "secret", "access",
    "id", "key", "token", "value", "apikey",
})  # fmt: skip
"""...and otherwise only words of these."""
CREDENTIAL_NAMES = frozenset({
    "saasusapikey", "saasussecretkey", "saasussaasid", "saasusplatformapikey", "saasusplatformsecretkey",
    "saasusplatformsaasid", "apikey", "secretkey", "saasid", "yourapikey", "yoursecretkey", "yoursaasid", "null",
    "none", "undefined",
})  # fmt: skip
"""Names of credentials in place of their values, without separators."""


def is_placeholder(text: str) -> bool:
    """Return True if a text contains a reference that was not replaced by its value."""
    return EMBEDDED_REFERENCE.search(text) is not None or WHOLE_REFERENCE.fullmatch(text.strip()) is not None


def find_credential_flaw(value: str, *, spaces: bool = False) -> CredentialFlaw | None:
    """Return the flaw of a credential, or None. An empty credential has no flaw here.

    Args:
        spaces: spaces are allowed, as in a client secret of OAuth (RFC 6749, appendix A.2).
    """
    if not value:
        return None
    if len(value) <= MAX_CREDENTIAL_CHARACTERS and is_placeholder(value):
        return "reference"
    if value != value.strip():
        return "space"
    if value[0] in QUOTES or value[-1] in QUOTES:
        return "quotes"
    if len(value) > MAX_CREDENTIAL_CHARACTERS or not all(
        (" " if spaces else FIRST) <= character <= LAST for character in value
    ):
        return "characters"
    return "example" if _is_example(value.lower()) else None


def _is_example(value: str) -> bool:
    """Return True for a value such as documentation writes in place of a credential."""
    words = set(SEPARATORS.split(value)) - {""}
    bare = SEPARATORS.sub("", value)
    return bool(
        not bare
        or bare in CREDENTIAL_NAMES
        or REPEATED_CHARACTER.fullmatch(bare)
        or (words & EXAMPLE_WORDS and words <= EXAMPLE_WORDS | NEUTRAL_WORDS)
    )

"""What is wrong with a credential before it is ever used: a client's placeholder, an example, or what copying added. Shows no value."""

from __future__ import annotations

import re
from typing import Literal

CredentialFlaw = Literal["reference", "space", "quotes", "characters", "example"]

MAX_CREDENTIAL_CHARACTERS = 1024
"""Characters of a credential. It is sent in a header, and every pattern below takes time linear in it."""

WITHIN = re.compile(r"\$\{[^{}]*\}|\{\{[^{}]*\}\}|\$\([^()]*\)|\[\[[^\[\]]*\]\]")
WHOLE = re.compile(
    r"\$[\w:]+|%[^%\s]+%|<[^<>]*>|#?\{[^{}]*\}|@\w+@|!\w+!|__\w+__|(?:op|vault|secret|env|keyring|file):.*",
    re.IGNORECASE | re.DOTALL,
)
"""How clients, shells, templates and secret managers write "the value of this variable"; who does not know the form passes it on."""

QUOTES = "\"'`“”‘’「」『』«»„‚＂＇"  # noqa: RUF001 - as word processors and input methods write them
FIRST, LAST = "!", "~"
SEPARATORS = re.compile(r"[-_.]+")
ONE_CHARACTER = re.compile(r"(.)\1{2,}")
TELLING = frozenset(
    [
        "your",
        "my",
        "insert",
        "enter",
        "put",
        "paste",
        "replace",
        "change",
        "changeme",
        "todo",
        "fixme",
        "dummy",
        "placeholder",
        "example",
        "sample",
        "here",
    ]
)
"""Words that only a text in the place of a credential has..."""
PLAIN = frozenset(
    [
        "the",
        "a",
        "me",
        "this",
        "with",
        "with",
        "actual",
        "real",
        "api",
        "saas",
        "saasus",
        "platform",
        "secret",
        "access",
        "id",
        "key",
        "token",
        "value",
        "apikey",
    ]
)
"""...together with these alone."""
NAMES = frozenset(
    [
        "saasusapikey",
        "saasussecretkey",
        "saasussaasid",
        "saasusplatformapikey",
        "saasusplatformsecretkey",
        "saasusplatformsaasid",
        "apikey",
        "secretkey",
        "saasid",
        "yourapikey",
        "yoursecretkey",
        "yoursaasid",
        "null",
        "none",
        "undefined",
    ]
)
"""Names in the place of what they name, without separators."""


def is_placeholder(text: str) -> bool:
    """Whether a text holds the place of a value that was never put in, or is nothing else."""
    return WITHIN.search(text) is not None or WHOLE.fullmatch(text.strip()) is not None


def find_credential_flaw(value: str, *, spaces: bool = False) -> CredentialFlaw | None:
    """What is wrong with a credential; None where nothing is. An empty one is a matter of its own.

    Args:
        spaces: whether it may hold spaces, as a client secret of OAuth may (RFC 6749, appendix A.2).
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
    """Whether it is what documentation writes in the place of a credential."""
    words = set(SEPARATORS.split(value)) - {""}
    bare = SEPARATORS.sub("", value)
    return bool(
        not bare or bare in NAMES or ONE_CHARACTER.fullmatch(bare) or (words & TELLING and words <= TELLING | PLAIN)
    )

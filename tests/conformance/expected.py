"""The results that the suite must have. Fewer passes fail `make conformance`; so does an excuse that is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Revision = Literal["2026-07-28", "2025-11-25"]
REVISIONS: tuple[Revision, ...] = ("2026-07-28", "2025-11-25")


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected results of one server under one revision.

    Attributes:
        scenarios: that pass; None stands for every one that the revision scores.
        beside: that pass although the revision does not score them.
        excused: checks that fail, each with the reason.
    """

    scenarios: frozenset[str] | None = None
    beside: frozenset[str] = frozenset()
    excused: Mapping[str, str] = field(default_factory=dict)


LAYERED: Mapping[Revision, Expected] = {
    "2026-07-28": Expected(
        beside=frozenset({"json-schema-2020-12", "http-header-validation", "http-custom-header-server-validation"})
    ),
    "2025-11-25": Expected(beside=frozenset({"json-schema-2020-12", "server-session-lifecycle"})),
}
"""The product with the suite's tools, resources and prompts over its own.

Of what is not scored, `tasks-*` is an extension that the SDK does not have, and `server-sse-polling` wants streams that can be
taken up again, which protocol 2026-07-28 has dropped: here a call that was cut off is found in the audit instead.
"""

NO_SUCH_TOOL = "asks for a tool of the suite, which the bare product has not: it says so in a tool's result"

BARE: Mapping[Revision, Expected] = {
    "2026-07-28": Expected(
        scenarios=frozenset(
            {
                "server-stateless",
                "tools-list",
                "resources-list",
                "prompts-list",
                "sep-2164-resource-not-found",
                "dns-rebinding-protection",
                "caching",
                "server-sse-multiple-streams",
                "input-required-result-unsupported-methods",
            }
        ),
        beside=frozenset({"http-header-validation"}),
        excused={
            "sep-2575-server-rejects-undeclared-capability": NO_SUCH_TOOL,
            "sep-2575-missing-capability-http-400": NO_SUCH_TOOL,
        },
    ),
    "2025-11-25": Expected(
        scenarios=frozenset(
            {
                "server-initialize",
                "ping",
                "tools-list",
                "resources-list",
                "prompts-list",
                "dns-rebinding-protection",
                "server-sse-multiple-streams",
            }
        ),
        beside=frozenset({"server-session-lifecycle"}),
    ),
}
"""The product alone: every scenario that needs nothing of the suite's own. Those that would pass because any answer does are left out, and
`completion-complete`, which completes a prompt of the suite: of an unknown prompt the protocol wants an error."""

"""The toolsets and surfaces that a server can list. They change what is listed, never what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from saasus_mcp.common.messages import Localized, one_of

SurfaceKind = Literal["full", "compact"]
"""`full` lists every operation, `compact` a few tools that run any operation."""

TOOLSETS: Mapping[str, Localized] = {
    name: one_of("server.toolset", name)
    for name in (
        "jobs",
        "users",
        "tenants",
        "roles",
        "attributes",
        "plans",
        "metering",
        "billing",
        "settings",
        "sign_in",
        "marketplace",
        "gateway",
        "analysis",
        "feedback",
        "logs",
        "events",
    )
}
"""The subject of each toolset, by name."""

CALL_TOOL_LEVELS: Mapping[str, tuple[str, str]] = {
    "call_read": ("read", "read_sensitive"),
    "call_write": ("write", "write_sensitive"),
    "call_destructive": ("destructive", "critical"),
}
"""By tool of the compact surface, the levels of the operations it runs. A client can allow the tools one by one."""

READ_AND_SELECT = "read_and_select"
"""The tool of the full surface that runs a reading operation and selects from its answer."""

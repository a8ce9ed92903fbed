"""`saasus-mcp` with the fixtures of the suite over its server: `python -m tests.conformance.serve serve …`."""

from __future__ import annotations

from typing import Any

from saasus_mcp.cli import main
from saasus_mcp.server import mcp_server
from tests.conformance.layer import add_fixtures

of_product = mcp_server.build_server


def build(*args: Any, **kwargs: Any) -> Any:
    return add_fixtures(of_product(*args, **kwargs))


if __name__ == "__main__":
    mcp_server.build_server = build
    main()

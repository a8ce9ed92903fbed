"""`saasus-mcp` with the suite's fixtures layered over its server: `python -m tests.conformance.serve serve …`."""

from __future__ import annotations

from typing import Any

from saasus_mcp.cli import main
from saasus_mcp.server import mcp
from tests.conformance.layer import layered

of_product = mcp.build


def build(*args: Any, **kwargs: Any) -> Any:
    return layered(of_product(*args, **kwargs))


if __name__ == "__main__":
    mcp.build = build
    main()

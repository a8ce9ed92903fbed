"""Fixtures of the unit tests."""

from __future__ import annotations

import pytest

from saasus_mcp.catalog import Catalogue, Operation


@pytest.fixture(scope="session")
def deleting(catalogue: Catalogue) -> Operation:
    """The operation that nobody wants by mistake."""
    return catalogue.find("auth_delete_tenant")

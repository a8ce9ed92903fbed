"""Attacks by what a tool call's arguments hold."""

from __future__ import annotations

import pytest

from saasus_mcp.saasus import arguments
from saasus_mcp.saasus.places import InvalidArguments
from tests.hardening.corpus import Ground, attack

AREA = "Arguments"


@attack(AREA, "An object nested 200 levels deep as an argument")
async def nested(ground: Ground) -> str:
    value: object = "end"
    for _ in range(200):
        value = {"a": value}
    with pytest.raises(InvalidArguments, match="nested too deeply"):
        arguments.check(ground.catalogue.find("auth.CreateTenant"), {"name": "x", "attributes": value})
    return "refused; the error names the field"

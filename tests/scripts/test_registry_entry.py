"""server.json, the entry in the MCP registry, is one that the registry takes, and says nothing that it would overlook."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENTRY: dict[str, Any] = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
"""The newest that is released: compare the rules below before you update it."""


def closed(required: str, **properties: Any) -> dict[str, Any]:
    """Return an object of these fields alone: the registry passes over one that it does not know, such as a misspelt `isSecret`."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


def text(longest: int = 255, **given: Any) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest, **given}


EXACT = text(pattern=r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")
"""A version, which is no range and no `latest`."""
WEB = text(pattern=r"^https://[^\s{}]+$")
INPUT = {
    "description": text(),
    "isRequired": {"type": "boolean"},
    "isSecret": {"type": "boolean"},
    "format": {"enum": ["string", "number", "boolean", "filepath"]},
    "default": text(),
    "placeholder": text(),
    "choices": {"type": "array", "items": text(), "minItems": 1},
}
VARIABLE = closed("name description", name=text(pattern="^[A-Z][A-Z0-9_]*$"), **INPUT)
PACKAGE = closed(
    "registryType identifier version transport",
    registryType={"const": "pypi"},
    identifier=text(),
    version=EXACT,
    runtimeHint={"const": "uvx"},
    transport=closed("type", type={"const": "stdio"}),
    environmentVariables={"type": "array", "items": VARIABLE},
)
REMOTE = closed(
    "type url",
    type={"enum": ["streamable-http", "sse"]},
    url=text(pattern=r"^https://\S+$"),
    variables={"type": "object", "additionalProperties": closed("description", **INPUT)},
)
RULES = closed(
    "$schema name description version repository packages remotes",
    **{"$schema": {"const": SCHEMA}},
    name=text(200, minLength=3, pattern=r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"),
    title=text(100),
    description=text(100),
    version=EXACT,
    repository=closed("url source", url=WEB, source={"enum": ["github", "gitlab"]}),
    websiteUrl=WEB,
    packages={"type": "array", "items": PACKAGE, "minItems": 1},
    remotes={"type": "array", "items": REMOTE},
)


def faults(entry: dict[str, Any]) -> list[str]:
    """Return the parts that the registry would refuse or ignore."""
    found = [f"{error.json_path}: {error.message}" for error in jsonschema.Draft7Validator(RULES).iter_errors(entry)]
    return found or list(_at_odds(entry))


def _at_odds(entry: dict[str, Any]) -> Iterator[str]:
    """Where its parts do not fit each other."""
    owner = entry["repository"]["url"].removeprefix("https://github.com/").split("/")[0]
    if entry["name"].split("/")[0] != f"io.github.{owner}":
        yield f"{owner} cannot prove that the namespace of {entry['name']} is theirs"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    for package in entry["packages"]:
        if package["identifier"] != project:
            yield f"{package['identifier']} is not what is published, {project}"
        names = [each["name"] for each in package["environmentVariables"]]
        if len(names) != len(set(names)):
            yield "a variable is there twice"
        for each in package["environmentVariables"]:
            if "default" in each and each["default"] not in each.get("choices", [each["default"]]):
                yield f"the default of {each['name']} is not one of its choices"
            if each.get("isSecret") and "default" in each:
                yield f"{each['name']} is a secret that everybody knows"
    for remote in entry["remotes"]:
        if set(re.findall(r"{(\w+)}", remote["url"])) != set(remote.get("variables", {})):
            yield f"the variables of {remote['url']} are not those that are declared"


def test_the_registrys_entry_keeps_to_its_rules() -> None:
    assert faults(ENTRY) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("$schema", "https://static.modelcontextprotocol.io/schemas/draft/server.schema.json"),
        ("name", "saasus-mcp"),
        ("name", "io.github.saasus-mcp/saasus/mcp"),
        ("name", "io.github.somebody-else/saasus-mcp"),
        ("title", ""),
        ("description", "x" * 101),
        ("version", "^0.1.0"),
        ("version", "latest"),
        ("licence", "Apache-2.0"),
        ("repository.source", "sourceforge"),
        ("websiteUrl", "saasus.io"),
        ("packages", []),
        ("packages.0.registryType", "PyPI"),
        ("packages.0.identifier", "saasus"),
        ("packages.0.version", "latest"),
        ("packages.0.transport.type", "http"),
        ("packages.0.environmentVariables.1.isSecert", True),
        ("packages.0.environmentVariables.1.isSecret", "true"),
        ("packages.0.environmentVariables.1.default", "key"),
        ("packages.0.environmentVariables.1.name", "SAASUS_SAAS_ID"),
        ("packages.0.environmentVariables.1.name", "api key"),
        ("packages.0.environmentVariables.3.default", "lenient"),
        ("remotes.0.type", "http"),
        ("remotes.0.url", "{host}/mcp"),
        ("remotes.0.url", "https://{host}/mcp/{profile}"),
        ("remotes.0.variables", {}),
    ],
)
def test_a_wrong_field_of_the_registrys_entry_is_found(place: str, value: object) -> None:
    wrong = copy.deepcopy(ENTRY)
    *way, last = place.split(".")
    held: Any = wrong
    for each in way:
        held = held[int(each) if each.isdigit() else each]
    held[last] = value
    assert faults(wrong)


@pytest.mark.parametrize("field", ["name", "description", "version", "packages"])
def test_a_field_that_the_registrys_entry_lacks_is_found(field: str) -> None:
    assert faults({name: value for name, value in ENTRY.items() if name != field})

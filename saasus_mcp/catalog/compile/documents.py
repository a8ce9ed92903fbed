"""Reading the spec documents, with their references resolved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Node = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
TABLES = frozenset({"confirmations.yaml", "effects.yaml", "jobs.yaml", "questions.yaml", "synonyms.yaml"})
"""Files beside the documents that are no documents."""


@dataclass(frozen=True, slots=True)
class SourceOperation:
    """One operation as its document writes it, references resolved in its parameters, body and answers.

    Attributes:
        module: the document's name, e.g. `auth`.
        path: the template from the host on: the server's path and the document's.
    """

    module: str
    method: str
    path: str
    node: Node


def read_operations(folder: Path) -> Iterator[SourceOperation]:
    """Every operation of every OpenAPI document in the folder, in the order of modules and paths."""
    for module, document in read_documents(folder):
        base = "/" + document["servers"][0]["url"].split("/", 3)[3]
        for path, item in document["paths"].items():
            for method in METHODS:
                if method in item:
                    node = resolve_references(item[method], document)
                    yield SourceOperation(module, method.upper(), base + path, node)


def read_documents(folder: Path) -> Iterator[tuple[str, Node]]:
    """Every document as it stands, with the name of its module."""
    for file in sorted(folder.glob("*.yaml")):
        if file.name not in TABLES:
            yield file.stem, yaml.safe_load(file.read_text(encoding="utf-8"))


def resolve_references(node: Any, document: Node) -> Any:
    """The node with each `$ref` replaced by what it names; keys beside a `$ref` win over those of what it names.

    The documents hold no recursion; a circle would raise RecursionError here, at build time.
    """
    if isinstance(node, list):
        return [resolve_references(item, document) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        named: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            named = named[step]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return resolve_references({**named, **beside}, document)
    return {key: value if key == "mapping" else resolve_references(value, document) for key, value in node.items()}

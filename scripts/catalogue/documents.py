"""Read the OpenAPI documents in `tool_specs/`, with references resolved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saasus_mcp.catalog.openapi_summary import SchemaNode, follow_reference, iterate_operations
from scripts.catalogue.spec_file import read_yaml

TABLES = frozenset({"confirmations.yaml", "effects.yaml", "jobs.yaml", "search_phrases.yaml", "synonyms.yaml"})
"""Files beside the documents that are not OpenAPI."""


@dataclass(frozen=True, slots=True)
class SourceOperation:
    """An operation as its document describes it, with references resolved.

    Attributes:
        module: the document's name, such as `auth`.
        path: the template after the host: the server's path and the document's.
    """

    module: str
    method: str
    path: str
    node: SchemaNode


def read_operations(folder: Path) -> Iterator[SourceOperation]:
    """Yield every operation of every document, in the order of modules and paths."""
    for module, document in read_documents(folder):
        for method, path, node, _ in iterate_operations(document):
            yield SourceOperation(module, method, path, resolve_references(node, document))


def read_documents(folder: Path) -> Iterator[tuple[str, SchemaNode]]:
    """Yield the module and the content of every document."""
    for file in sorted(folder.glob("*.yaml")):
        if file.name not in TABLES:
            yield file.stem, read_yaml(file)


def resolve_references(node: Any, document: SchemaNode) -> Any:
    """Replace each `$ref` in a node by the node it names.

    The documents contain no circular references. One would raise RecursionError here, at build time.
    """
    if isinstance(node, list):
        return [resolve_references(item, document) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return resolve_references(follow_reference(node, document), document)
    return {key: value if key == "mapping" else resolve_references(value, document) for key, value in node.items()}

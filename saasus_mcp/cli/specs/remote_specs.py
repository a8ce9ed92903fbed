"""The API's published definitions, from a folder or from an address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from saasus_mcp.catalog.openapi_summary import InvalidDocument, OperationSummary, summarize_document
from saasus_mcp.settings import parse_endpoint

FILE_SUFFIXES = (".yml", ".yaml", ".json")
FILE_NAME = "{module}api.yml"
"""How the documents are called where they are published."""
MAX_BYTES = 8 * 1024 * 1024
TIMEOUT = 30.0


def read_remote_specs(source: str, modules: Collection[str]) -> dict[str, OperationSummary]:
    """The facts of everything published there.

    Args:
        modules: that we know; at an address only their documents can be found.

    Raises:
        BadDocument: it cannot be read, or holds no OpenAPI document.
    """
    documents = _fetched(source, modules) if "://" in source else _folder(Path(source), modules)
    found: dict[str, OperationSummary] = {}
    for module, text in documents:
        found |= summarize_document(module, _parsed(module, text))
    return found


def _folder(folder: Path, modules: Collection[str]) -> Iterator[tuple[str, str]]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in FILE_SUFFIXES)
        if not files:
            raise InvalidDocument(f"{folder} contains no OpenAPI documents.", f"Expected names: {FILE_NAME}.")
        for file in files:
            if file.stat().st_size > MAX_BYTES:
                raise InvalidDocument(f"{file} is too large for an OpenAPI document.")
            yield _module(file.stem, modules), file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDocument(
            f"{folder} cannot be read: {type(error).__name__}.", "Specify the folder that contains the documents."
        ) from None


def _fetched(address: str, modules: Collection[str]) -> Iterator[tuple[str, str]]:
    try:
        base = parse_endpoint(address).rstrip("/")
    except ValueError as error:
        raise InvalidDocument(f"--against: {error}.") from None
    import httpx2  # noqa: PLC0415 - only where something is fetched

    from saasus_mcp.saasus import network_errors  # noqa: PLC0415 - as above

    try:
        client = httpx2.Client(timeout=TIMEOUT, follow_redirects=False)
    except network_errors.UNUSABLE as error:
        said, mend = network_errors.configuration_fault(error).words("en")
        raise InvalidDocument(f"--against: {said}.", mend) from None
    with client:
        for module in sorted(modules):
            url = f"{base}/{FILE_NAME.format(module=module)}"
            yield module, _page(client.stream, httpx2.HTTPError, url)


def _page(stream: Callable[..., Any], failures: type[Exception], url: str) -> str:
    pieces, size = [], 0
    try:
        with stream("GET", url) as response:
            if response.status_code != 200:  # noqa: PLR2004 - OK
                raise InvalidDocument(
                    f"{url}: HTTP {response.status_code}.", "Specify the URL of the folder that contains the documents."
                )
            for piece in response.iter_bytes():
                size += len(piece)
                if size > MAX_BYTES:
                    raise InvalidDocument(f"{url} is too large for an OpenAPI document.")
                pieces.append(piece)
        return b"".join(pieces).decode("utf-8")
    except (failures, UnicodeDecodeError) as error:
        raise InvalidDocument(f"{url}: {type(error).__name__}.", "Check that the address is reachable.") from None


def _module(name: str, modules: Collection[str]) -> str:
    """The module of a document: its name without the `api` that published ones end in."""
    return name if name in modules else name.removesuffix("api")


def _parsed(module: str, text: str) -> Any:
    import yaml  # noqa: PLC0415 - only where documents are read

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidDocument(f"{module} is neither YAML nor JSON: {type(error).__name__}.") from None

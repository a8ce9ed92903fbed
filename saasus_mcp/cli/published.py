"""The API's published definitions, from a folder or from an address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from saasus_mcp.catalog.facts import BadDocument, Operation, facts
from saasus_mcp.settings import endpoint

ENDINGS = (".yml", ".yaml", ".json")
PUBLISHED = "{module}api.yml"
"""How the documents are called where they are published."""
LARGEST = 8 * 1024 * 1024
PATIENCE = 30.0


def read(source: str, modules: Collection[str]) -> dict[str, Operation]:
    """The facts of everything published there.

    Args:
        modules: that we know; at an address only their documents can be found.

    Raises:
        BadDocument: it cannot be read, or holds no OpenAPI document.
    """
    documents = _fetched(source, modules) if "://" in source else _folder(Path(source), modules)
    found: dict[str, Operation] = {}
    for module, text in documents:
        found |= facts(module, _parsed(module, text))
    return found


def _folder(folder: Path, modules: Collection[str]) -> Iterator[tuple[str, str]]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in ENDINGS)
        if not files:
            raise BadDocument(f"{folder} contains no OpenAPI documents.", f"Expected names: {PUBLISHED}.")
        for file in files:
            if file.stat().st_size > LARGEST:
                raise BadDocument(f"{file} is too large for an OpenAPI document.")
            yield _module(file.stem, modules), file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDocument(
            f"{folder} cannot be read: {type(error).__name__}.", "Specify the folder that contains the documents."
        ) from None


def _fetched(address: str, modules: Collection[str]) -> Iterator[tuple[str, str]]:
    try:
        base = endpoint(address).rstrip("/")
    except ValueError as error:
        raise BadDocument(f"--against: {error}.") from None
    import httpx2  # noqa: PLC0415 - only where something is fetched

    from saasus_mcp.saasus import network  # noqa: PLC0415 - as above

    try:
        client = httpx2.Client(timeout=PATIENCE, follow_redirects=False)
    except network.UNUSABLE as error:
        said, mend = network.unusable(error).words("en")
        raise BadDocument(f"--against: {said}.", mend) from None
    with client:
        for module in sorted(modules):
            url = f"{base}/{PUBLISHED.format(module=module)}"
            yield module, _page(client.stream, httpx2.HTTPError, url)


def _page(stream: Callable[..., Any], failures: type[Exception], url: str) -> str:
    pieces, size = [], 0
    try:
        with stream("GET", url) as response:
            if response.status_code != 200:  # noqa: PLR2004 - OK
                raise BadDocument(
                    f"{url}: HTTP {response.status_code}.", "Specify the URL of the folder that contains the documents."
                )
            for piece in response.iter_bytes():
                size += len(piece)
                if size > LARGEST:
                    raise BadDocument(f"{url} is too large for an OpenAPI document.")
                pieces.append(piece)
        return b"".join(pieces).decode("utf-8")
    except (failures, UnicodeDecodeError) as error:
        raise BadDocument(f"{url}: {type(error).__name__}.", "Check that the address is reachable.") from None


def _module(name: str, modules: Collection[str]) -> str:
    """The module of a document: its name without the `api` that published ones end in."""
    return name if name in modules else name.removesuffix("api")


def _parsed(module: str, text: str) -> Any:
    import yaml  # noqa: PLC0415 - only where documents are read

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadDocument(f"{module} is neither YAML nor JSON: {type(error).__name__}.") from None

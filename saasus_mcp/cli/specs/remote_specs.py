"""Read the API's published definitions from a folder or a URL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from saasus_mcp.catalog.openapi_summary import InvalidOpenApi, OperationSummary, summarize_document
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.settings import parse_endpoint

FILE_SUFFIXES = (".yml", ".yaml", ".json")
FILE_NAME = "{module}api.yml"
"""The name of a published document."""
MAX_BYTES = 8 * 1024 * 1024
TIMEOUT = 30.0
_OK = 200


def read_remote_specs(source: str, modules: Collection[str]) -> dict[str, OperationSummary]:
    """Return the summary of every published operation.

    Args:
        source: a folder or a URL.
        modules: the known modules. At a URL, only their documents can be found.

    Raises:
        InvalidOpenApi: a document cannot be read, or is not an OpenAPI document.
    """
    documents = _fetch(source, modules) if "://" in source else _read_folder(Path(source), modules)
    operations: dict[str, OperationSummary] = {}
    for module, text in documents:
        operations |= summarize_document(module, _parse(module, text))
    return operations


def _read_folder(folder: Path, modules: Collection[str]) -> Iterator[tuple[str, str]]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in FILE_SUFFIXES)
        if not files:
            raise InvalidOpenApi(
                message("cli_specs.no_documents", folder=str(folder)),
                message("cli_specs.expected_names", names=FILE_NAME),
            )
        for file in files:
            if file.stat().st_size > MAX_BYTES:
                raise InvalidOpenApi(message("cli_specs.too_large", source=str(file)))
            published = file.stem.removesuffix("api")
            yield file.stem if file.stem in modules else published, file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidOpenApi(
            message("cli_specs.folder_unreadable", folder=str(folder), reason=os_reason(error)),
            message("cli_specs.folder_hint"),
        ) from None


def _fetch(address: str, modules: Collection[str]) -> Iterator[tuple[str, str]]:
    try:
        base = parse_endpoint(address).rstrip("/")
    except SaasusMcpError as error:
        raise InvalidOpenApi(message("cli_specs.invalid_against", reason=error)) from None
    except ValueError as error:
        raise InvalidOpenApi(message("cli_specs.invalid_against", reason=f"{error}.")) from None
    import httpx2  # noqa: PLC0415 - only if documents are fetched

    from saasus_mcp.saasus import network_errors  # noqa: PLC0415 - as above

    try:
        client = httpx2.Client(timeout=TIMEOUT, follow_redirects=False)
    except network_errors.UNUSABLE as error:
        fault = network_errors.configuration_fault(error)
        raise InvalidOpenApi(message("cli_specs.invalid_against", reason=fault.message), fault.hint) from None
    with client:
        for module in sorted(modules):
            url = f"{base}/{FILE_NAME.format(module=module)}"
            yield module, _fetch_text(client.stream, httpx2.HTTPError, url)


def _fetch_text(stream: Callable[..., Any], http_error: type[Exception], url: str) -> str:
    chunks, size = [], 0
    try:
        with stream("GET", url) as response:
            if response.status_code != _OK:
                status = message("cli_specs.http_status", url=url, status=response.status_code)
                raise InvalidOpenApi(status, message("cli_specs.url_hint"))
            for chunk in response.iter_bytes():
                size += len(chunk)
                if size > MAX_BYTES:
                    raise InvalidOpenApi(message("cli_specs.too_large", source=url))
                chunks.append(chunk)
        return b"".join(chunks).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidOpenApi.of("cli_specs.unreachable", url=url, reason=os_reason(error)) from None
    except http_error as error:
        raise InvalidOpenApi.of("cli_specs.unreachable", url=url, reason=type(error).__name__) from None


def _parse(module: str, text: str) -> Any:
    import yaml  # noqa: PLC0415 - only if documents are read

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidOpenApi(message("cli_specs.not_a_document", module=module, reason=type(error).__name__)) from None

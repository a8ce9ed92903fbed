"""The state of the sandbox in a file: JSON with a format and a version, private to its owner, without secrets of callers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common import private_files
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.saasus.secret_paths import REMOVED
from saasus_mcp.sandbox.behaviours import logs
from saasus_mcp.sandbox.incoming_request import Routes
from saasus_mcp.sandbox.state import Record, State

FORMAT, VERSION = "saasus-mcp sandbox state", 1
LARGEST = 64 * 1024 * 1024
"""Bytes of a file. The demonstration data has less than half a megabyte."""
OWN = "sandbox-"
"""How secrets begin that the sandbox made itself. They open nothing, and are kept."""
Why = Literal["not_json", "format", "version", "tables", "large"]


class UnusableState(SaasusMcpError):
    """A file does not contain a state that this version can load, or a state does not fit into a file."""

    def __init__(self, file: Path, why: Why) -> None:
        self.file, self.why = file, why
        reason = one_of("sandbox.state", why)
        super().__init__(
            message("sandbox.state_unusable", file=str(file), reason=reason), message("sandbox.state_hint")
        )


def load_state(file: Path) -> State | None:
    """Return the state in a file; None where there is no file.

    Raises:
        UnusableState: the file holds something else.
        UnsafeFile: others can change the file, or it is not a regular file.
        OSError: it cannot be read.
    """
    try:
        content = private_files.read_private_file(file, LARGEST)
    except FileNotFoundError:
        return None
    try:
        document = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise UnusableState(file, "not_json") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UnusableState(file, "format")
    if document.get("version") != VERSION:
        raise UnusableState(file, "version")
    try:
        return State.imported(document)
    except ValueError:
        raise UnusableState(file, "tables") from None


def save_state(file: Path, state: State, catalogue: Catalogue) -> None:
    """Write a state in place of the one in the file. A reader sees the old state or the new one, never a part.

    Secrets that callers gave are not written.

    Args:
        catalogue: tells in which fields calls carry secrets.

    Raises:
        UnusableState: the state is too large for a file.
        UnsafeFile: in the file's place is something that is not a regular file.
        OSError: it cannot be written.
    """
    exported = state.exported()
    secrets, tables = _secret_names(catalogue), dict[str, Any]()
    for name, rows in exported["tables"].items():
        tables[name] = [[key, _without(record, secrets, hidden=False)] for key, record in rows]
    routes = Routes(catalogue)
    tables[logs.TABLE] = [[key, _brief(record, routes)] for key, record in tables.get(logs.TABLE, ())]
    document = {"format": FORMAT, "version": VERSION, **exported, "tables": tables}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    content = text.encode(
        "utf-8", "backslashreplace"
    )  # what UTF-8 cannot hold, half a surrogate pair, is escaped as JSON does
    if len(content) > LARGEST:
        raise UnusableState(file, "large")
    private_files.replace_file(file, content)


def _secret_names(catalogue: Catalogue) -> frozenset[str]:
    """Return the names of the fields in which calls carry secrets."""
    paths = (path for operation in catalogue for path in operation.secret_inputs)
    return frozenset(path.rpartition(".")[2].removesuffix("[]").removesuffix("{}") for path in paths)


def _brief(entry: Record, routes: Routes) -> Record:
    """Return an entry of the API's log without bodies and referer, and without the address if it may contain secrets."""
    found = routes.match(str(entry.get("request_method")), str(entry.get("request_uri")).partition("?")[0])
    address = {} if found is not None and not found[0].secret_inputs else {"request_uri": ""}
    return {**entry, "request_body": "", "response_body": "", "referer": "", **address}


def _without(value: Any, secrets: frozenset[str], *, hidden: bool) -> Any:
    """Return the value without the texts below the name of a secret."""
    if isinstance(value, str):  # first, since most values are texts, and whether one is a mapping takes longest
        return REMOVED if hidden and value and not value.startswith(OWN) else value
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {name: _without(item, secrets, hidden=hidden or name in secrets) for name, item in value.items()}
    return [_without(item, secrets, hidden=hidden) for item in value] if isinstance(value, list | tuple) else value


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)

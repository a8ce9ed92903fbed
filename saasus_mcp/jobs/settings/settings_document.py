"""The document of settings: its eighteen kinds, how they are read, stored and validated, and how two states of one differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.json_path import InvalidArguments, JsonPath
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_reader import JobReader, ReadFailed
from saasus_mcp.jobs.settings.settings_kinds import SETTINGS_KINDS, SettingsKind

FORMAT, VERSION = "saasus-settings", 1
MAX_RECORDS = 1_000
"""Items of one kind in a document."""
SaasSettings = dict[str, Any]
"""By kind: an object, or a list of objects sorted by name."""
ONLY_SAVED, ONLY_LATER, DIFFERS = "only_saved", "only_later", "differs"
Difference = dict[str, Any]
_EMPTY: tuple[Any, ...] = (None, "", [])


async def read_saas_settings(work: JobContext, kinds: Sequence[str]) -> tuple[SaasSettings, dict[str, Message]]:
    """Return the current settings of these kinds, and the reason for each part that cannot be read."""
    settings: SaasSettings = {}
    unread: dict[str, Message] = {}
    for number, name in enumerate(kinds):
        await work.report_progress(number, len(kinds))
        kind = SETTINGS_KINDS[name]
        for part, operation in kind.reads.items():
            try:
                value = await work.read(operation, take=kind.normalize)
            except ReadFailed as error:
                unread[f"{name}.{part}" if part else name] = error.message
            else:
                settings[name] = {**settings.get(name, {}), part: value} if part else value
    await work.report_progress(len(kinds), len(kinds))
    return settings, unread


def build_settings_document(
    reader: JobReader, settings: SaasSettings, unread: Iterable[str], exported_at: str
) -> dict[str, Any]:
    """Return the document, which names its source."""
    destination = reader.destination
    source = {"profile": destination.profile, "saas_id": destination.saas_id, "exported_at": exported_at}
    return {"format": FORMAT, "version": VERSION, "source": source, "settings": settings, "unread": [*unread]}


def select_kinds(names: Sequence[str] | None) -> list[str]:
    """Return the named kinds in the order of the document, or all kinds.

    Raises:
        InvalidArguments: a kind does not exist.
    """
    for name in names or ():
        if name not in SETTINGS_KINDS:
            raise InvalidArguments(("kinds",), message("jobs_settings.unknown_kind", kind=Quoted(name)), _kinds_hint())
    return [name for name in SETTINGS_KINDS if not names or name in names]


async def load_document(
    reader: JobReader, args: Mapping[str, Any], by_value: str = "document", by_id: str = "result"
) -> SaasSettings:
    """Return the settings of a document, which is an argument or a stored result.

    Raises:
        InvalidArguments: neither or both are given, or it is not a valid document.
    """
    argument, content = await reader.load_input(args, by_value, by_id)
    return validate_document(content, argument)


def validate_document(content: Any, argument: str) -> SaasSettings:
    """Return the settings of a document. Raise InvalidArguments if it is not a valid document."""
    hint = message("jobs_settings.document_hint")
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise InvalidArguments((argument,), message("jobs_settings.not_a_document", format=FORMAT), hint)
    if content.get("version") != VERSION:
        problem = message("jobs_settings.unknown_version", version=VERSION)
        raise InvalidArguments((argument, "version"), problem, hint)
    settings = content.get("settings")
    if not isinstance(settings, Mapping):
        raise InvalidArguments((argument, "settings"), message("jobs_settings.not_an_object"), hint)
    for name, value in settings.items():
        if name not in SETTINGS_KINDS:
            problem = message("jobs_settings.unknown_kind", kind=Quoted(str(name)))
            raise InvalidArguments((argument, "settings", str(name)), problem, _kinds_hint())
        _validate_kind(SETTINGS_KINDS[name], value, (argument, "settings", name))
    return {name: settings[name] for name in SETTINGS_KINDS if name in settings}


def _kinds_hint() -> Message:
    return message("jobs_settings.kinds_hint", kinds=tuple(SETTINGS_KINDS))


def _validate_kind(kind: SettingsKind, value: Any, path: JsonPath) -> None:
    if not kind.items:
        if not isinstance(value, Mapping):
            raise InvalidArguments(path, message("jobs_settings.not_an_object"))
        return
    if not isinstance(value, list):
        raise InvalidArguments(path, message("jobs_settings.not_a_list"))
    if len(value) > MAX_RECORDS:
        raise InvalidArguments(path, message("jobs_settings.too_many_items", limit=MAX_RECORDS))
    for number, item in enumerate(value):
        _validate_item(kind, item, (*path, number))
    for name, count in Counter(item[kind.key] for item in value).items():
        if count > 1:
            problem = message("jobs_settings.duplicate_item", name=Quoted(str(name)), count=count)
            raise InvalidArguments(path, problem, message("jobs_settings.duplicate_item_hint"))


def _validate_item(kind: SettingsKind, item: Any, path: JsonPath) -> None:
    if not isinstance(item, Mapping) or not isinstance(item.get(kind.key), str | int):
        raise InvalidArguments((*path, kind.key), message("jobs_settings.key_missing"))
    for name in kind.named_lists.values():
        names = item.get(name, [])
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise InvalidArguments((*path, name), message("jobs_settings.not_names"))


def find_differences(kind: str, saved: Any, later: Any) -> Iterator[Difference]:
    """Yield a record for each field that differs, and for each item that only one side has."""
    if not SETTINGS_KINDS[kind].items:
        yield from _field_differences(kind, "", saved, later)
        return
    key = SETTINGS_KINDS[kind].key
    before, after = ({str(item[key]): item for item in items} for items in (saved, later))
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield {"kind": kind, "name": name, "change": ONLY_SAVED}
        elif name not in before:
            yield {"kind": kind, "name": name, "change": ONLY_LATER}
        else:
            yield from _field_differences(kind, name, before[name], after[name])


def changed_settings(kind: str, saved: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """Return the fields of a saved item whose current value differs."""
    unordered = SETTINGS_KINDS[kind].named_lists.values()
    return [name for name, value in saved.items() if not _is_equal(value, live.get(name), unordered=name in unordered)]


def kind_text(name: str) -> Message:
    """Return what people call a kind of settings, or a part of one, such as `links.stripe`."""
    name, _, part = name.partition(".")
    kind = one_of("jobs_settings.kind", name)
    return message("jobs_settings.kind_part", kind=kind, part=one_of("jobs_settings.part", part)) if part else kind


def describe_difference(record: Difference) -> Message:
    item = kind_text(record["kind"])
    if record["name"]:
        item = message("jobs_settings.named_item", kind=item, name=Quoted(record["name"]))
    if record["change"] == ONLY_SAVED:
        return message("jobs_settings.only_saved", item=item)
    if record["change"] == ONLY_LATER:
        return message("jobs_settings.only_later", item=item)
    return message(
        "jobs_settings.differs",
        item=item,
        field=record["field"],
        saved=_short_value(record["saved"]),
        later=_short_value(record["later"]),
    )


def _field_differences(kind: str, name: str, saved: Any, later: Any) -> Iterator[Difference]:
    unordered = SETTINGS_KINDS[kind].named_lists.values()
    before, after = dict(_leaves(saved)), dict(_leaves(later))
    for field in sorted(before.keys() | after.keys()):
        if not _is_equal(before.get(field), after.get(field), unordered=field in unordered):
            values = {"saved": before.get(field), "later": after.get(field)}
            yield {"kind": kind, "name": name, "change": DIFFERS, "field": field, **values}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that is not an object, with its path. A list is one value."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    for name, each in value.items():
        yield from _leaves(each, f"{path}.{name}" if path else name)


def _is_equal(one: Any, other: Any, *, unordered: bool) -> bool:
    """Compare two values. An empty value equals a missing one."""
    if unordered and isinstance(one, list) and isinstance(other, list):
        return sorted(map(str, one)) == sorted(map(str, other))
    return bool(one == other) or (one in _EMPTY and other in _EMPTY)


def _short_value(value: Any) -> Message | Quoted:
    if value in _EMPTY:
        return message("jobs_settings.no_value")
    return Quoted(value if isinstance(value, str) else compact_json(value))

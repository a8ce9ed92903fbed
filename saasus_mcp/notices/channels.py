"""The channels of the configuration file, with their secrets, and which notices each gets."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from saasus_mcp.common.messages import Message, message
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.settings.addresses import parse_provider_url
from saasus_mcp.settings.models import SecretSource
from saasus_mcp.settings.notices import (
    ChannelTable,
    ChatworkTable,
    EmailTable,
    NoticesTable,
    NoticeTopic,
    UrlChannelTable,
    WebhookTable,
)
from saasus_mcp.settings.profiles import EVERYONE
from saasus_mcp.settings.validation import InvalidValue, SettingsError
from saasus_mcp.store.notice_records import NoticeKind

ChannelKind = Literal["slack", "teams", "line_works", "chatwork", "email", "webhook"]
SIGNING_PREFIX = "whsec_"
SIGNING_KEY_BYTES = range(24, 65)
"""Lengths of a signing key that Standard Webhooks accepts."""
TOPICS: Mapping[NoticeKind, NoticeTopic] = {
    "approval_requested": "approval",
    "approval_approved": "outcome",
    "approval_rejected": "outcome",
    "approval_expired": "outcome",
    "job_done": "job",
    "job_failed": "job",
    "job_cancelled": "job",
    "frozen": "freeze",
    "unfrozen": "freeze",
    "audit_broken": "audit",
}
"""The topic of each event, which `topics` of a channel names."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel with its secrets.

    Attributes:
        secrets: the values of the table's secret sources, by field. They appear in no log, error or output.
    """

    name: str
    kind: ChannelKind
    table: ChannelTable
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def reader(self) -> Reader:
        """The language and time zone of the channel's readers."""
        from saasus_mcp.common import timezones  # noqa: PLC0415 - seldom needed

        zone = self.table.time_zone
        return Reader.of(self.table.lang, timezones.find_time_zone(zone) if zone else None)

    def wants(self, kind: NoticeKind, profile: str, audience: NoticeAudience) -> bool:
        """Return whether the channel gets an event of a profile; without a profile, an event of all of them."""
        if TOPICS[kind] not in self.table.topics:
            return False
        candidates = [profile] if profile else list(audience.groups)
        return any(self._covers(each, audience) for each in candidates) or not audience.groups

    def _covers(self, profile: str, audience: NoticeAudience) -> bool:
        table = self.table
        if table.profiles and profile not in table.profiles:
            return False
        if not table.profiles and profile in audience.sandboxes:
            return False
        deciding = audience.groups.get(profile, frozenset())
        return not table.groups or EVERYONE in deciding or bool(table.groups & deciding)


@dataclass(frozen=True, slots=True)
class NoticeAudience:
    """The profiles of this process.

    Attributes:
        groups: by profile, the groups whose approvers decide on it.
        sandboxes: the profiles of an emulated SaaS. Only channels that list them get their notices.
    """

    groups: Mapping[str, frozenset[str]]
    sandboxes: frozenset[str] = frozenset()


def load_channels(table: NoticesTable) -> tuple[Channel, ...]:
    """Return every channel of the configuration file.

    Raises:
        SettingsError: a secret is missing or has another form. The error names the setting, never the value.
    """
    return tuple(_load_channel(cast("ChannelKind", kind), name, each) for kind, name, each in table.channels())


def _load_channel(kind: ChannelKind, name: str, table: ChannelTable) -> Channel:
    sources = {
        field_name: source
        for field_name in type(table).model_fields
        if isinstance(source := getattr(table, field_name), SecretSource)
    }
    secrets = {field_name: source.read().strip() for field_name, source in sources.items()}
    setting = f"notices.{kind}.{name}"
    if isinstance(table, UrlChannelTable):
        _require_url(secrets["url"], f"{setting}.url")
    if isinstance(table, WebhookTable):
        for field_name in ("secret", "previous_secret"):
            if field_name in secrets and not signing_key(secrets[field_name]):
                raise _invalid(f"{setting}.{field_name}", message("settings.signing_secret"))
    if isinstance(table, ChatworkTable) and not _is_header_value(secrets["token"]):
        raise _invalid(f"{setting}.token", message("settings.printable_secret"))
    if isinstance(table, EmailTable) and "password" in secrets and not _is_header_value(secrets["password"]):
        raise _invalid(f"{setting}.password", message("settings.printable_secret"))
    return Channel(name, kind, table, secrets)


def signing_key(secret: str) -> bytes:
    """Return the key of a signing secret; empty if it has another form."""
    try:
        key = base64.b64decode(secret.removeprefix(SIGNING_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return key if secret.startswith(SIGNING_PREFIX) and len(key) in SIGNING_KEY_BYTES else b""


def _require_url(url: str, setting: str) -> None:
    try:
        parse_provider_url(url)
    except InvalidValue as error:
        raise _invalid(setting, error.problem) from None


def _is_header_value(secret: str) -> bool:
    return secret.isascii() and secret.isprintable()


def _invalid(setting: str, problem: Message) -> SettingsError:
    return SettingsError(
        message("settings.invalid", setting=setting, problem=problem), message("settings.correct_value_hint")
    )

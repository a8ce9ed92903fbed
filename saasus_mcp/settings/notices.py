"""Settings of notices: the channels that report approvals, jobs, freezes and faults of the audit log to people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.settings.addresses import HIGHEST_PORT, is_loopback
from saasus_mcp.settings.models import HostName, ProviderUrl, SecretSourceField, StrictModel, TimeZone
from saasus_mcp.settings.validation import InvalidValue

CHANNEL_NAME = r"^[A-Za-z0-9_-]{1,40}$"
MAX_CHANNELS = 20
MAX_RECIPIENTS = 50
NoticeTopic = Literal["approval", "outcome", "job", "freeze", "audit"]
ALL_TOPICS: frozenset[NoticeTopic] = frozenset(("approval", "outcome", "job", "freeze", "audit"))
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}")


def parse_mail_address(value: Any) -> str:
    """Return an e-mail address without a display name."""
    text = str(value).strip()
    if _ADDRESS.fullmatch(text) is None:
        raise InvalidValue(message("settings.mail_address"))
    return text


MailAddress = Annotated[str, BeforeValidator(parse_mail_address)]


class ChannelTable(StrictModel):
    """What every channel has.

    Attributes:
        profiles: the profiles whose notices it gets; by default all of them, without the sandbox.
        groups: the approvers' groups that read it. It gets the notices of the profiles that one of them decides on; by default all.
        topics: what it gets; by default all.
        lang: the language of its readers.
        time_zone: the time zone of its readers; by default that of the language.
    """

    profiles: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    topics: frozenset[NoticeTopic] = ALL_TOPICS
    lang: Language = "en"
    time_zone: TimeZone | None = None


class UrlChannelTable(ChannelTable):
    """`[notices.slack.NAME]`, `[notices.teams.NAME]`, `[notices.line_works.NAME]`: an address that is itself the secret."""

    url: SecretSourceField


class WebhookTable(UrlChannelTable):
    """`[notices.webhook.NAME]`: a receiver of your own, which verifies signatures (https://www.standardwebhooks.com).

    Attributes:
        secret: `whsec_` and 24 to 64 bytes in base64.
        previous_secret: signs as well, while receivers change to a new secret.
    """

    secret: SecretSourceField
    previous_secret: SecretSourceField | None = None


class ChatworkTable(ChannelTable):
    """`[notices.chatwork.NAME]`: a room of Chatwork. `url` is the base of its API."""

    token: SecretSourceField
    room: str = Field(pattern=r"^[0-9]{1,20}$")
    url: ProviderUrl = "https://api.chatwork.com/v2"


class EmailTable(ChannelTable):
    """`[notices.email.NAME]`: e-mail by a server that accepts it (SMTP).

    Attributes:
        security: `tls` from the first byte, `starttls`, or `none`, which only a server on this machine may have.
    """

    host: HostName
    port: int | None = Field(default=None, ge=1, le=HIGHEST_PORT)
    security: Literal["tls", "starttls", "none"] = "tls"
    username: str | None = Field(default=None, min_length=1, max_length=200)
    password: SecretSourceField | None = None
    sender: MailAddress = Field(alias="from")
    recipients: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=MAX_RECIPIENTS, alias="to")]

    @model_validator(mode="after")
    def _require_protection(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            raise InvalidValue(message("settings.mail_unprotected"))
        if (self.username is None) != (self.password is None):
            raise InvalidValue(message("settings.mail_login"))
        return self


_Name = Annotated[str, Field(pattern=CHANNEL_NAME)]


class NoticesTable(StrictModel):
    """`[notices]`: the channels by kind and name. A name occurs once."""

    slack: dict[_Name, UrlChannelTable] = Field(default_factory=dict)
    teams: dict[_Name, UrlChannelTable] = Field(default_factory=dict)
    line_works: dict[_Name, UrlChannelTable] = Field(default_factory=dict)
    chatwork: dict[_Name, ChatworkTable] = Field(default_factory=dict)
    email: dict[_Name, EmailTable] = Field(default_factory=dict)
    webhook: dict[_Name, WebhookTable] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _require_distinct_names(self) -> Self:
        names = [name for _, name, _ in self.channels()]
        if len(set(names)) != len(names):
            raise InvalidValue(message("settings.channel_twice"))
        if len(names) > MAX_CHANNELS:
            raise InvalidValue(message("settings.too_many_channels", most=MAX_CHANNELS))
        return self

    def channels(self) -> list[tuple[str, str, ChannelTable]]:
        """Return the kind, the name and the table of every channel."""
        tables: Mapping[str, Mapping[str, ChannelTable]] = {
            kind: getattr(self, kind) for kind in type(self).model_fields
        }
        return [(kind, name, table) for kind, by_name in tables.items() for name, table in by_name.items()]

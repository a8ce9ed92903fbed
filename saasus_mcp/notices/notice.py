"""A notice: one text for one reader, ready for any channel. It has no authority, and nothing in it acts on the reader's client."""

from __future__ import annotations

import re
from dataclasses import dataclass

from saasus_mcp.common.text import MARKUP, one_line
from saasus_mcp.store.notice_records import NoticeKind

MAX_TITLE, MAX_LINE = 300, 300
_MENTION = re.compile(r"(?<![A-Za-z0-9._%+-])@")
"""The start of a mention such as @all, and not the middle of an e-mail address."""
_INERT = str.maketrans({**MARKUP, "[": "［", "]": "］", "|": "｜"})  # noqa: RUF001 - that no client interprets
_SCHEME = re.compile(r"(?i)(?<![a-z0-9])(mailto|tel|sms|callto|skype|sips?|xmpp|facetime|file):(?=\S)|:(?=//)")
"""The colon of an address: with a scheme that clients link without slashes, or before two slashes."""
_ADDRESS = r"(?<![\w.@/:%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?!\.?[\w/:?#@-])"
_IP = r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"
_DOT = re.compile(
    rf"(?P<address>{_ADDRESS})|(?P<ip>{_IP})"
    r"|(?<=[\w-])[.\uff0e\uff61](?=[^\W\d_])|(?<=[A-Za-z0-9])\u3002(?=[A-Za-z0-9])"
)
"""A dot of a domain or of an IP address, or a whole e-mail address, which stays as it is."""
DOT = "·"
"""Stands for the dot of a domain. No normal form makes it a dot again, and no domain has it as a separator."""


def inert_text(text: str, longest: int) -> str:
    """Return one bounded line that no client takes for a mention, a link, a format, or the end of a field.

    `<!channel>`, `<m userId="all">`, `[toall]`, `[text](url)`, `@all`, `https://` and `mailto:` are shown with look-alike characters, and
    `www.example.com` as `www·example·com`, since clients make links of domains. The only link of a notice is its own. E-mail addresses
    stay as they are: people are recognised by them, and a client makes at most a new message of one.
    """
    line = one_line(text, longest).translate(_INERT)
    line = _SCHEME.sub(lambda found: (found[1] or "") + "：", line)  # noqa: RUF001 - as above
    return _DOT.sub(_inert_dot, _MENTION.sub("＠", line))  # noqa: RUF001 - as above


def _inert_dot(found: re.Match[str]) -> str:
    if found["address"]:
        return found["address"]
    return found["ip"].replace(".", DOT) if found["ip"] else DOT


@dataclass(frozen=True, slots=True)
class Notice:
    """The text of one event for the readers of one channel.

    Attributes:
        id: of the event, for receivers that recognise repetitions.
        reference: the approval code or the id of the job; may be empty.
        link: the page on which a person decides or reads on; empty if no console is known.
        link_text: the label of a button for the link.
    """

    id: str
    kind: NoticeKind | str
    profile: str
    at: float
    title: str
    lines: tuple[str, ...] = ()
    reference: str = ""
    link: str = ""
    link_text: str = ""

    @property
    def text(self) -> str:
        """The lines below the title."""
        return "\n".join(self.lines)

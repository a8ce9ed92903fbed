"""A notice: one text for one reader, ready for any channel. It has no authority, and nothing in it acts on the reader's client."""

from __future__ import annotations

import re
from dataclasses import dataclass

from saasus_mcp.common.text import one_line
from saasus_mcp.store.notice_records import NoticeKind

MAX_TITLE, MAX_LINE = 300, 300
_MENTION = re.compile(r"(?<![A-Za-z0-9._%+-])@")
"""The start of a mention such as @all, and not the middle of an e-mail address."""
_INERT = str.maketrans({"<": "‹", ">": "›", "[": "［", "]": "］", "`": "'", "*": "＊", "|": "｜"})  # noqa: RUF001 - look-alikes that no client interprets


def inert_text(text: str, longest: int) -> str:
    """Return one bounded line that no client takes for a mention, a link, a format, or the end of a field.

    `<!channel>`, `<m userId="all">`, `[toall]`, `[text](url)`, `@all` and `https://` are shown with look-alike characters. The only
    link of a notice is its own.
    """
    line = one_line(text, longest).translate(_INERT)
    return _MENTION.sub("＠", line).replace("://", "：//")  # noqa: RUF001 - as above


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

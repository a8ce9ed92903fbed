"""Why a person is asked again: the changes of the target since the question or the approval."""

from __future__ import annotations

from collections.abc import Iterator

from saasus_mcp.catalog.question_texts import load_question_texts
from saasus_mcp.common.language import Language, Text
from saasus_mcp.permissions.inspection.snapshot import snapshot_changes, was_readable
from saasus_mcp.permissions.inspection.target import TargetSnapshot
from saasus_mcp.permissions.question.content import UnresolvedId, Value
from saasus_mcp.permissions.question.formatting import Reader, format_read_error, format_value
from saasus_mcp.permissions.question.values import ValueFactory
from saasus_mcp.permissions.question.words import WORDS
from saasus_mcp.store import Approval

PLAN_FIELD = "plan digest"
"""The bound field of a job: another one says that the plan changed, and means nothing to a person."""
MAX_CHANGES = 3
"""Changes of the target that are told one by one."""
CHANGED = Text(
    "The target changed since you were asked. Check it again.",
    "前回の確認の後に対象の内容が変わりました。もう一度確認してください。",
)
STRICTER = Text(
    "The policy became stricter since you were asked. Decide again.",
    "前回の確認の後にポリシーが厳しくなりました。もう一度判断してください。",
)
VOID = Text(
    "The target changed since approval {code} was requested, which is no longer valid.",
    "承認 {code} の依頼後に対象の内容が変わったため、その承認は無効になりました。",
)
VOID_STRICTER = Text(
    "The policy now requires approval by another person. {code} is no longer valid.",
    "ポリシーが変わり、依頼者以外の人の承認が必要になりました。承認 {code} は無効になりました。",
)
NOW_SEEN = Text(
    "It could not be read before. Now it can.", "前回は対象を確認できませんでしたが、今回は確認できました。"
)
NOW_UNSEEN = Text(
    "It could be read before. Now it cannot ({why}).",
    "前回は対象を確認できましたが、今回は確認できませんでした({why})。",
)
FURTHER = Text("{label}: changed beyond what is shown", "{label}: 表示範囲より後の部分が変わりました")


def explain_stale_question(before: str, sight: TargetSnapshot) -> tuple[Text, ...]:
    """Return why a person is asked again, given the earlier snapshot (TargetSnapshot.bound)."""
    return (STRICTER,) if before == sight.encoded else (CHANGED, *_since(before, sight))


def explain_stale_approval(approval: Approval, sight: TargetSnapshot) -> tuple[Text, ...]:
    """Return why an approval is no longer valid."""
    if approval.bound == sight.encoded:
        return (_with_code(VOID_STRICTER, approval),)
    return (_with_code(VOID, approval), *_since(approval.bound, sight))


def added_lines(before: str, now: str) -> tuple[str, ...]:
    """Return the lines of a question's text that an earlier text of the same call lacks."""
    known = frozenset(before.splitlines())
    return tuple(line.strip() for line in now.splitlines() if line not in known)


def _with_code(text: Text, approval: Approval) -> Text:
    return Text(text.en.format(code=approval.code), text.ja.format(code=approval.code))


def _since(before: str, sight: TargetSnapshot) -> tuple[Text, ...]:
    """Yield how the target changed; of a target that became readable or unreadable, only that."""
    if was_readable(before) == was_readable(sight.encoded):
        return tuple(_changed(before, sight.encoded))[:MAX_CHANGES]
    if not sight.read_error:
        return (NOW_SEEN,)
    return (
        Text(
            *(NOW_UNSEEN.text(language).format(why=format_read_error(sight.read_error, language)) for language in _BOTH)
        ),
    )


_BOTH: tuple[Language, ...] = ("en", "ja")


def _changed(before: str, after: str) -> Iterator[Text]:
    """Yield the bound fields that differ, by their labels."""
    table = load_question_texts()
    values = ValueFactory(lambda path: table.field("", path), _unresolved, frozenset(table.kinds))
    for change in snapshot_changes(before, after):
        if change.field == PLAN_FIELD:
            continue
        field = table.field("", change.field)
        was, now = (values.make(each, field, change.field) for each in (change.before, change.after))
        said = []
        for language in _BOTH:
            label, reader = field.label.text(language), Reader.of(language)
            if change.effect == "unshown":
                said.append(FURTHER.text(language).format(label=label))
            else:
                template = WORDS[language]["change"]
                said.append(
                    template.format(label=label, before=format_value(was, reader), after=format_value(now, reader))
                )
        yield Text(*said)


def _unresolved(_: str, id_: object) -> Value:
    return UnresolvedId(str(id_))

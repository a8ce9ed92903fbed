"""What a person is asked before settings are made from a document: what is created, what changes, what is left as it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog.question_texts import FieldText, load_question_texts
from saasus_mcp.common.language import Text
from saasus_mcp.common.text import one_line, quote_name
from saasus_mcp.jobs.plan import PlanStep
from saasus_mcp.permissions.question import difference
from saasus_mcp.permissions.question.content import (
    Change,
    Detail,
    Fact,
    NamedItem,
    Quantity,
    UnresolvedId,
    Value,
    ValueList,
)
from saasus_mcp.permissions.question.values import ValueFactory
from saasus_mcp.saasus.tool_answer import compact_json

MAX_ITEMS = 200
KIND_LABELS: Mapping[str, Text] = {
    "roles": Text("Roles", "ロール"),
    "envs": Text("Environments", "環境"),
    "user_attributes": Text("User attributes", "ユーザー属性"),
    "tenant_attributes": Text("Tenant attributes", "テナント属性"),
    "metering_units": Text("Metering units", "メータリングユニット"),
    "tax_rates": Text("Tax rates", "税率"),
    "pricing_units": Text("Pricing units", "プライシングユニット"),
    "pricing_menus": Text("Feature menus", "機能メニュー"),
    "pricing_plans": Text("Plans", "料金プラン"),
    "notification_messages": Text("E-mail texts", "通知メールの文面"),
    "customize_pages": Text("Sign-in pages", "認証画面"),
}
NOTHING_DELETED = Text("Nothing is deleted.", "削除は行いません。")


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A field of a setting that is changed: as it is now, and as it is to be."""

    kind: str
    item: str
    field: str
    before: Any
    after: Any
    siblings: Mapping[str, Any]


def build_headline(creates: int, updates: int) -> Text:
    """How much is created and changed."""
    if not updates:
        return Text(f"Create {_settings(creates)} from a document", f"文書をもとに設定を{creates}件作成します")
    if not creates:
        return Text(f"Change {_settings(updates)} by a document", f"文書をもとに設定を{updates}件変更します")
    return Text(
        f"Create {_settings(creates)} and change {updates} by a document",
        f"文書をもとに設定を{creates}件作成し、{updates}件変更します",
    )


def typed_text(count: int) -> Text:
    """How many settings: what is typed."""
    return Text(_settings(count), f"設定{count}件")


def build_facts(told: Sequence[Mapping[str, Any]], left: Sequence[tuple[str, str, Text]]) -> Iterator[Fact]:
    """What is created, by kind; then what is left though it is different, and why.

    Args:
        told: what is done with each item of the document.
        left: kind, name and reason of what is left.
    """
    creates = _by_kind(told, "create")
    for kind, names in creates.items():
        label = Text(f"New {KIND_LABELS[kind].en.lower()}", f"新しい{KIND_LABELS[kind].ja}")
        yield Fact(f"create.{kind}", label, _several(NamedItem(name) for name in names), lead=len(creates) == 1)
    same = sum(item["do"] == "same" for item in told)
    reasons: dict[Text, list[str]] = defaultdict(list)
    for kind, name, why in left:
        reasons[why].append(f"{KIND_LABELS[kind].en} {name}")
    for why, names in reasons.items():
        label = Text(f"Left as it is ({why.en})", f"変更しないもの({why.ja})")
        yield Fact("left", label, _several(NamedItem(name) for name in names))
    if same:
        yield Fact("same", Text("Already the same", "一致している設定"), Quantity(str(same), Text("settings", "件")))


def build_changes(changed: Sequence[SettingChange]) -> Iterator[Change]:
    """What is changed, field by field. Where that is little, it stands in the first lines."""
    table = load_question_texts()
    values = ValueFactory(lambda path: table.field("", path), _unresolved, frozenset(table.kinds))
    for each in changed:
        field = table.field("", each.field)
        before, after = difference.differing_values(each.before, each.after, field)
        make = (
            values.make(before, field, each.field, each.siblings),
            values.make(after, field, each.field, each.siblings),
        )
        label = _label(each, field)
        yield Change(f"{each.kind}.{each.field}", label, *make, lead=len(changed) <= 2)  # noqa: PLR2004 - first lines


def build_details(entries: Sequence[PlanStep]) -> Iterator[Detail]:
    """Every call with its arguments."""
    for entry in entries:
        yield Detail(entry.step, compact_json(dict(entry.args)))


def _label(changed: SettingChange, field: FieldText) -> Text:
    """The setting and the field of it."""
    parent = changed.field.rpartition(".")[0].rpartition(".")[2].replace("_", " ")
    kind, item = KIND_LABELS[changed.kind], one_line(changed.item or parent, 60)
    en = f"{kind.en} {quote_name(item)}, {field.label.en}" if item else f"{kind.en}, {field.label.en}"
    ja = f"{kind.ja}{quote_name(item, 'ja')}の{field.label.ja}" if item else f"{kind.ja}の{field.label.ja}"
    return Text(en, ja)


def _settings(count: int) -> str:
    return "1 setting" if count == 1 else f"{count} settings"


def _by_kind(told: Sequence[Mapping[str, Any]], do: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for item in told:
        if item["do"] == do:
            found[item["kind"]].append(item["name"])
    return found


def _several(items: Iterator[Value]) -> Value:
    every = tuple(items)
    return ValueList(every[:MAX_ITEMS], (1,) * min(len(every), MAX_ITEMS), len(every))


def _unresolved(_: str, id_: object) -> Value:
    return UnresolvedId(str(id_))

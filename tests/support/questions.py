"""Sample questions, for tests and for pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saasus_mcp.common.language import Text
from saasus_mcp.common.text import quote_text
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.target import clean_name
from saasus_mcp.permissions.question.content import (
    Change,
    DescribedItem,
    Detail,
    Fact,
    LabelledValue,
    Money,
    NamedItem,
    PriceTier,
    Quantity,
    Question,
    QuestionWarning,
    QuotedText,
    Sentence,
    TieredPrice,
    Timestamp,
    ValueList,
)
from saasus_mcp.permissions.question.deceptive_text import warn_of_deceptive_text
from saasus_mcp.permissions.question.values import quoted_text

LOST = QuestionWarning("irreversible", Text("This cannot be undone.", "元に戻せません。"))
BILLED = QuestionWarning("money", Text("Changes what is charged", "請求が変わります"))
STRIPE = QuestionWarning(
    "outside", Text("Also changes Stripe, if connected", "連携している場合はStripeにも反映されます")
)
REACH = (Fact("users_in_tenant", Text("Users", "対象ユーザー"), Quantity("20", Text("people", "人"))),)


def deletion(name: str = "Aozora", **given: Any) -> Question:
    """Return a question to delete a tenant."""
    made = Question(
        tool="auth_delete_tenant",
        headline=Text(f"Delete the tenant {quote_text(name, 'en')}", f"テナント{quote_text(name, 'ja')}を削除します"),
        name=name,
        place=Destination("default", "saas-1"),
        requester="local:somebody",
        facts=(Fact("invitations", Text("Open invitations", "未承諾の招待"), Quantity("1", Text("invitation", "件"))),),
        reach=REACH,
        warnings=(LOST,),
        typed=Text(name, name),
        details=(
            Detail("tool", "auth_delete_tenant"),
            Detail("request", "DELETE /tenants/{tenant_id}"),
            Detail("tenant_id", "da8d500a-6679-4dd5-a3f1-6b5f6a0b6d2e"),
        ),
    )
    return replace(made, **given)


def plan_change(**given: Any) -> Question:
    """Return a question to change a tenant's plan, the one with the most facts."""
    usage = (
        LabelledValue(Text("APIコール数", "APIコール数"), Quantity("33036")),
        LabelledValue(Text("受注件数", "受注件数"), Quantity("2205")),
        LabelledValue(Text("ストレージ(GB)", "ストレージ(GB)"), Quantity("377")),
    )
    erased = Sentence(
        Text(
            "Recorded usage is erased at once, and the change cannot be cancelled: {usage_this_month}",
            "記録済みの利用量をすぐに消去し、予約も取り消せなくなります: {usage_this_month}",
        ),
        (("usage_this_month", ValueList(usage, (1, 1, 1), 3)),),
    )
    made = Question(
        tool="auth_update_tenant_plan",
        headline=Text("Change the plan of “株式会社青空商事”", "「株式会社青空商事」の料金プランを変更します"),
        name="株式会社青空商事",
        place=Destination("sandbox", "sandbox", sandbox=True),
        requester="local:root",
        facts=(Fact("using_next_plan_from", Text("Takes effect", "適用日時"), Timestamp(1796083200), lead=True),),
        changes=(
            Change(
                "next_plan_id",
                Text("Plan", "料金プラン"),
                NamedItem("ビジネスプラン"),
                NamedItem("スタータープラン"),
                lead=True,
            ),
            Change("price", Text("Base fee", "基本料"), Money("49800", "JPY", "month"), Money("9800", "JPY", "month")),
        ),
        reach=REACH,
        warnings=(QuestionWarning("consequence", erased), LOST, BILLED, STRIPE),
        typed=Text("株式会社青空商事", "株式会社青空商事"),
        details=(
            Detail("tool", "auth_update_tenant_plan"),
            Detail("request", "PUT /tenants/{tenant_id}/plans"),
            Detail("tenant_id", "da8d500a-6679-4dd5-a3f1-6b5f6a0b6d2e"),
            Detail("next_plan_id", "0b646f03-7a2c-4e0d-9f0b-1c0f5c3f7a11"),
            Detail("using_next_plan_from", "1796083200"),
        ),
    )
    return replace(made, **given)


def price_change(**given: Any) -> Question:
    """Return a question to change the tiers of a price: one is removed, one changes."""
    before = TieredPrice((PriceTier("100", "", "0"), PriceTier("1000", "500", "20"), PriceTier("", "", "10")), "JPY")
    after = TieredPrice((PriceTier("100", "", "0"), PriceTier("", "", "15")), "JPY")
    made = Question(
        tool="pricing_update_pricing_unit",
        headline=Text("Change the price of “受注件数 段階従量”", "「受注件数 段階従量」の価格を変更します"),
        name="受注件数 段階従量",
        place=Destination("production", "98tjo3wifaoua"),
        requester="token:tanaka",
        changes=(Change("tiers", Text("Tiers", "段階"), before, after, lead=True),),
        warnings=(QuestionWarning("money", Text("May change later bills", "今後の請求が変わることがあります")),),
        undo=Text("This can be undone.", "元に戻せます。"),
        typed=Text("受注件数 段階従量", "受注件数 段階従量"),
        details=(Detail("tool", "pricing_update_pricing_unit"), Detail("tiers", '[{"up_to":100}]')),
    )
    return replace(made, **given)


def invitation_question(**given: Any) -> Question:
    """Return a question to change a long text, of which a dialog shows beginning and end."""
    whole = "お客様各位\n" + "平素より格別のお引き立てを賜り、厚く御礼申し上げます。" * 12 + "敬具"
    made = Question(
        tool="auth_update_notification_messages",
        headline=Text("Change the invitation e-mail", "招待メールの文面を変更します"),
        name="98tjo3wifaoua",
        place=Destination("production", "98tjo3wifaoua"),
        requester="token:tanaka",
        facts=(Fact("body", Text("Body", "本文"), quoted_text(whole), lead=True),),
        undo=Text("This can be undone.", "元に戻せます。"),
        typed=Text("98tjo3wifaoua", "98tjo3wifaoua"),
        details=(Detail("tool", "auth_update_notification_messages"), Detail("body", whole)),
    )
    return replace(made, **given)


def hostile(**given: Any) -> Question:
    """Return a question with texts that reorder, are markup, or have no place to break."""
    name = "Evil\u202e<b>Co</b> " + "W" * 150
    made = deletion(
        name,
        headline=Sentence(
            Text("Delete the tenant {target}", "テナント {target} を削除します"), (("target", NamedItem(name)),)
        ),
        typed=Text(clean_name(name), clean_name(name)),
        reason="approve\u2066 this now " + "y" * 170,
        facts=(Fact("note", Text("z" * 60, "z" * 60), QuotedText("x" * 180, "", 180), lead=True),),
        details=(Detail("n" * 100, "a\nb\u202e"), Detail("body", "q" * 2000)),
    )
    return replace(warn_of_deceptive_text(made), **given)


def described_calls(*tenants: str) -> Question:
    """Return a question about a call for each tenant, with what happens to it."""
    calls = tuple(DescribedItem(Text(name, name), (QuotedText("Starter"), QuotedText("Business"))) for name in tenants)
    fact = Fact("calls", Text("Changes", "変更"), ValueList(calls, (1,) * len(calls), len(calls)))
    return deletion(tool="job_change_plans", facts=(fact,))


def long_list(count: int = 40, **given: Any) -> Question:
    """Return a question to import many people, with a long list of roles."""
    people = tuple(NamedItem(f"person{number:02}@example.jp") for number in range(count))
    holders = Text("“管理者” goes to", "「管理者」を付与する人")
    made = Question(
        tool="job_import_users",
        headline=Text(f"Register {count} people in “みどり薬局”", f"「みどり薬局」に{count}人を登録します"),
        name="みどり薬局",
        place=Destination("production", "98tjo3wifaoua"),
        requester="token:tanaka",
        facts=(
            Fact(
                "admins",
                holders,
                ValueList(people, (1,) * count, count),
                lead=True,
            ),
        ),
        warnings=(
            QuestionWarning(
                "consequence",
                Text(f"Gives the role “管理者” to {count} people.", f"{count}人にロール「管理者」を付与します。"),
            ),
            QuestionWarning(
                "email",
                Text(f"Sends a password by e-mail to {count} people", f"{count}人にパスワードをメールで送信します"),
            ),
        ),
        typed=Text(f"{count} people", f"{count}人"),
        undo=Text(
            "Each account, membership and role can be undone; e-mails that were sent cannot.",
            "アカウント・所属・ロールはそれぞれ元に戻せます。送信したメールは取り消せません。",
        ),
        details=(Detail("tool", "job_import_users"),),
    )
    return replace(made, **given)

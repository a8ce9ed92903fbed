"""The common jobs as prompts: what a person picks from a menu, and what the assistant is then asked to do, in both languages.

A text in braces is an argument. Tool names are those of the catalogue; a test holds them to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from saasus_mcp.common.language import Text


@dataclass(frozen=True, slots=True)
class Argument:
    """One blank of a prompt. `optional`: the prompt reads well without it."""

    name: str
    text: Text
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """One job."""

    name: str
    title: Text
    description: Text
    arguments: tuple[Argument, ...]
    body: Text


TENANT = Argument("tenant", Text("Tenant: name or id", "テナント(名前またはID)"))
USER = Argument("user", Text("User: e-mail, sign-in id or id", "ユーザー(メールアドレス・ログインID・ID)"))
ROLE = Argument("role", Text("Role name", "ロール名"))
ENVIRONMENT = Argument("environment", Text("Environment: name or id", "環境(名前またはID)"), optional=True)
PLAN = Argument("plan", Text("Plan: name or id", "料金プラン(名前またはID)"))
ATTRIBUTE = Argument("attribute", Text("User attribute to set as well", "あわせて設定するユーザー属性"), optional=True)
TENANT_ATTRIBUTE = Argument(
    "tenant_attribute", Text("Tenant attribute to set as well", "あわせて設定するテナント属性"), optional=True
)
METERING_UNIT = Argument("metering_unit", Text("Metering unit", "メータリングユニット"), optional=True)
MONTH = Argument("month", Text("Month, YYYY-MM", "対象月(YYYY-MM)"))
NOTES = Argument("notes", Text("Additional notes", "補足"), optional=True)

PROMPTS: tuple[Prompt, ...] = (
    Prompt(
        "set_up_saas",
        Text("Set up a SaaS", "SaaSの初期設定"),
        Text(
            "Domain, sign-in, attributes, roles and environments of a new SaaS.",
            "ドメイン・サインイン・属性・ロール・環境を順に設定します。",
        ),
        (Argument("domain", Text("Domain of the SaaS", "SaaSのドメイン名")), NOTES),
        Text(
            "Set up this SaaS for the domain {domain}. First read the current settings: auth_get_basic_info, auth_get_auth_info, "
            "auth_get_user_attributes, auth_get_tenant_attributes, auth_get_roles, auth_get_envs. Then list what is missing "
            "and the settings you propose, and wait for my confirmation before changing anything. Finally, tell me which DNS "
            "records I must add and which settings depend on them. {notes}",
            "ドメイン{domain}のSaaSを初期設定してください。まず auth_get_basic_info、auth_get_auth_info、auth_get_user_attributes、"
            "auth_get_tenant_attributes、auth_get_roles、auth_get_envs で現状を確認し、足りない設定と設定案を一覧にしてください。"
            "変更は私の返事を待ってから行ってください。最後に、登録が必要なDNSレコードと、その反映待ちの項目を教えてください。{notes}",
        ),
    ),
    Prompt(
        "onboard_tenant",
        Text("Onboard a new tenant", "新しいテナントの受け入れ"),
        Text(
            "Creates a tenant with its first administrator, billing details and plan.",
            "テナントを作成し、最初の管理者・請求先・料金プランを設定します。",
        ),
        (Argument("company", Text("Name of the company", "会社名")), USER, PLAN, TENANT_ATTRIBUTE, NOTES),
        Text(
            "Onboard {company} as a new tenant, with {user} as its administrator, on the plan {plan} "
            "(tenant attribute to set as well: {tenant_attribute}; ask me for its value). Check with "
            "auth_get_tenants that no tenant has this name yet, and look up the plan, role and environment. Show me the steps, "
            "then: auth_create_tenant, auth_create_saas_user (only if the user does not exist), auth_create_tenant_user, the role "
            "in environment 3, billing information, and auth_update_tenant_plan. Report every id at the end. {notes}",
            "{company}を新しいテナントとして登録し、{user}を管理者、料金プランを{plan}にしてください。"
            "あわせて設定するテナント属性: {tenant_attribute}(指定がある場合は値を私に確認してください)。同名のテナントがないかを"
            "auth_get_tenants で確かめ、プラン・ロール・環境を調べてから手順を示してください。その後 auth_create_tenant、"
            "auth_create_saas_user(未登録の場合のみ)、auth_create_tenant_user、環境3でのロール付与、請求先情報、"
            "auth_update_tenant_plan の順に進め、最後に各IDを報告してください。{notes}",
        ),
    ),
    Prompt(
        "add_users",
        Text("Add users to a tenant", "テナントへのユーザー追加"),
        Text(
            "Registers people in a tenant and grants them a role.", "ユーザーを登録し、テナント内のロールを付与します。"
        ),
        (TENANT, Argument("users", Text("E-mail addresses", "メールアドレス(複数可)")), ROLE, ENVIRONMENT, ATTRIBUTE),
        Text(
            "Add these people to the tenant {tenant} as {role} (environment: {environment}; production if not specified; "
            "user attribute to set as well: {attribute}; ask me for its values): {users}. "
            "Validate everything first: the tenant, the role, the environment, and who is already registered. Show me who will be "
            "created, granted a role or skipped, and why. Then process them one by one, stop at the first failure, and report "
            "the result for every person.",
            "テナント{tenant}に次の方々を{role}として追加してください(環境: {environment}。指定なしの場合は本番): {users}。"
            "あわせて設定するユーザー属性: {attribute}(指定がある場合は値を私に確認してください)。先にテナント・ロール・環境と登録済みの方を確認し、新規登録・付与・スキップの対象とその理由を示してください。その後1名ずつ"
            "進め、失敗したらそこで止め、全員分の結果を報告してください。",
        ),
    ),
    Prompt(
        "invite_user",
        Text("Invite someone", "ユーザーの招待"),
        Text(
            "Sends an invitation to a tenant, or lists pending invitations.",
            "テナントへの招待を送り、招待中の一覧を確認します。",
        ),
        (TENANT, Argument("email", Text("E-mail address", "メールアドレス")), ROLE, ENVIRONMENT),
        Text(
            "Invite {email} to the tenant {tenant} as {role} (environment: {environment}; production if not specified). First check "
            "whether an invitation is already pending (auth_get_tenant_invitations) or the person is already a member. An e-mail "
            "is sent: show me what will be sent before you send it.",
            "{email}をテナント{tenant}に{role}として招待してください(環境: {environment}。指定なしの場合は本番)。招待中でないか"
            "(auth_get_tenant_invitations)、すでに所属していないかを先に確かめてください。メールが送信されるため、実行前に内容を示してください。",
        ),
    ),
    Prompt(
        "build_price_list",
        Text("Build a price list", "料金プラン一式の作成"),
        Text(
            "Metering units, pricing units, menus and plans, in that order.",
            "メータリングユニット・プライシングユニット・機能メニュー・料金プランをこの順に作成します。",
        ),
        (Argument("prices", Text("The prices, in your words", "料金の内容")), NOTES),
        Text(
            "Build this price list: {prices}. Read pricing_get_metering_units, pricing_get_pricing_units, "
            "pricing_get_pricing_menus and pricing_get_pricing_plans first and reuse what fits. Show me a table of the units, menus "
            "and plans that you would create; one currency and one billing interval per plan. Names cannot be changed "
            "later, and items in use are frozen, so wait for my confirmation. {notes}",
            "次の料金プラン一式を作成してください: {prices}。先に pricing_get_metering_units、pricing_get_pricing_units、"
            "pricing_get_pricing_menus、pricing_get_pricing_plans を確認し、使えるものは再利用してください。作成するユニット・メニュー・"
            "プランを表で示してください(1プランにつき通貨と請求間隔は1つ)。名前は後から変えられず、使用後は変更できないため、私の返事を待って"
            "ください。{notes}",
        ),
    ),
    Prompt(
        "change_plan",
        Text("Change a tenant's plan", "テナントのプラン変更"),
        Text(
            "Changes or ends a contract, and explains what will be invoiced when.",
            "契約プランの変更・解約と、請求への影響を確認します。",
        ),
        (TENANT, PLAN, Argument("when", Text("Effective date", "適用日"), optional=True), NOTES),
        Text(
            "Change the plan of the tenant {tenant} to {plan} (effective: {when}; ask me if no date is given). Read auth_get_tenant and "
            "pricing_get_pricing_plans first. Tell me the current plan, any scheduled change, and what will be "
            "invoiced and when. The change must be at least five minutes ahead, in epoch seconds. Then call "
            "auth_update_tenant_plan once and read the tenant again. {notes}",
            "テナント{tenant}の料金プランを{plan}に変更してください(適用日: {when}。指定なしの場合は私に確認してください)。先に auth_get_tenant と pricing_get_pricing_plans で"
            "現在のプラン、予約済みの変更、請求額と請求時期への影響を確認して教えてください。適用日時は5分以上先の日時(エポック秒)にします。"
            "その後 auth_update_tenant_plan を一度だけ実行し、結果を読み直してください。{notes}",
        ),
    ),
    Prompt(
        "report_usage",
        Text("Report monthly usage", "月間利用量の集計"),
        Text("Metered usage by tenant and unit.", "テナント・メータリングユニットごとの利用量を集計します。"),
        (MONTH, Argument("tenant", TENANT.text, optional=True), METERING_UNIT),
        Text(
            "Report the metered usage of {month} (tenant: {tenant}, metering unit: {metering_unit}; all "
            "if not specified). Read auth_get_tenants, "
            "pricing_get_metering_units and the month's counts of each tenant. Answer with one table: tenant, unit, count, "
            "the plan's upper count if any; totals at the end. Only read.",
            "{month}の利用量を集計してください(テナント: {tenant}、メータリングユニット: {metering_unit}。指定なしのものは"
            "すべて対象)。auth_get_tenants、pricing_get_metering_units と各テナントの月間カウントを確認し、テナント・メータリングユニット・利用量・"
            "プランの上限を1つの表にまとめ、最後に合計を付けてください。参照だけを行い、何も変更しないでください。",
        ),
    ),
    Prompt(
        "offboard",
        Text("Off-board a user or tenant", "退会・解約の手続き"),
        Text(
            "Checklist in order, with the steps that cannot be undone.",
            "確認事項・順序・元に戻せないものを整理して進めます。",
        ),
        (Argument("who", Text("The user or tenant", "対象のユーザーまたはテナント")), NOTES),
        Text(
            "Off-board {who}. First only read: which tenants or users are affected, roles, pending invitations, MFA, the "
            "plan and its scheduled change, this month's usage that is not yet invoiced, payment method. Give me a checklist in "
            "order of execution, and mark the steps that cannot be undone. Do each step only after I confirm it; I confirm or "
            "approve the deletions myself. {notes}",
            "{who}の退会・解約手続きをしてください。まず変更はせずに、関係するテナントやユーザー、ロール、招待中の有無、MFA、料金プランと"
            "次回の変更予定、今月の未請求の利用量、支払い方法を調べてください。実施順のチェックリストを作り、元に戻せない手順に印を付けてください。"
            "各手順は私の返事を待って行い、削除の確認と承認は私が行います。{notes}",
        ),
    ),
    Prompt(
        "export_settings",
        Text("Export the settings", "設定の書き出し"),
        Text("All settings in one document.", "設定内容を1つの文書にまとめます。"),
        (NOTES,),
        Text(
            "Export the settings of this SaaS as one JSON document: basic, sign-in, notifications, pages, attributes, roles, "
            "environments, units, menus, plans, tax rates, links to Stripe and others. Only read. Secrets stay hidden; list them "
            "as omitted. List what could not be read. {notes}",
            "このSaaSの設定を1つのJSON文書に書き出してください。基本設定、サインイン、通知、画面、属性、ロール、環境、ユニット、メニュー、プラン、"
            "税率、Stripeなどとの連携が対象です。読み取りだけで行い、秘密情報は伏せたまま、省いた項目として挙げてください。"
            "読めなかった項目も一覧にしてください。{notes}",
        ),
    ),
    Prompt(
        "help_desk",
        Text("Help a user who cannot sign in", "サインインできない方への対応"),
        Text("Finds the user, diagnoses the problem and fixes it.", "ユーザーを探し、原因を調べて対処します。"),
        (USER, Argument("problem", Text("Symptoms", "症状"), optional=True)),
        Text(
            "{user} cannot sign in (symptoms: {problem}). Find the user with auth_search_saas_users, read the MFA preference and the "
            "tenants, and check today's activity history and logs. Tell me the likely cause and the one step "
            "you suggest: turn off MFA, issue a new password, or unlink a provider. Do it only after I confirm, and tell me what "
            "the user must do next.",
            "{user}がサインインできません(症状: {problem})。auth_search_saas_users で探し、MFA設定と所属テナント、本日の行動履歴とログを"
            "確認してください。考えられる原因と、MFAの解除・パスワードの再設定・外部連携の解除のうち、提案する手順を1つ教えてください。"
            "実行は私の返事を待ち、その後、本人に伝える内容をまとめてください。",
        ),
    ),
)

"""The pages of the policy and the tools."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from saasus_mcp.hosting.console.service import PolicyText
from saasus_mcp.permissions.policy.file import ReloadablePolicy
from saasus_mcp.permissions.policy.presets import ReadOnlyPolicy
from tests.support.console import ConsoleSession

RULES = """
version: 1
groups: {support: [token:hanako]}
confirm_via: approval
rules:
  - {name: keep-tenants, then: deny, tools: [auth_delete_tenant], reason: tenants stay}
  - {name: support-writes, then: confirm, levels: [write], who: [support], profile: [production]}
  - {name: mails, then: approve, effects: [email], when: "args.size() > 3"}
  - {name: prices, then: approve, module: [pricing]}
  - {name: others, then: allow, tools: ["*"]}
"""


async def test_decisions_are_those_of_the_chosen_person(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        page = await client.get("/console/tools", params={"who": "carol"})
    row = next(line for line in page.text.splitlines() if ">auth_<wbr>delete_<wbr>tenant<" in line)
    assert '<span class="tag approve">needs approval</span>' in row
    assert "cannot be undone" in row
    assert 'value="carol"' in page.text


async def test_a_tool_is_shown_with_its_preconditions_and_reasons_in_the_readers_language(
    stage: ConsoleSession,
) -> None:
    async with stage.signed_in(**{"accept-language": "ja"}) as client:
        page = await client.get("/console/tools/auth_update_tenant_plan")
    for part in (
        "使用中の料金プランは削除できなくなります",
        "値によって、契約の変更、予約、終了のいずれにもなる操作です",
        "レベルが「重大」の操作",
    ):
        assert part in page.text


async def test_a_policy_that_was_edited_since_is_said_to_be_so(stage: ConsoleSession) -> None:
    written = PolicyText("version: 1", outdated=True)
    stage.console = replace(stage.console, service=replace(stage.console.service, read_policy=lambda: written))
    stage.serve()
    async with stage.signed_in() as client:
        assert "not in force yet" in (await client.get("/console/policy")).text


async def test_the_rules_of_a_preset_are_a_table_and_the_file_is_folded(stage: ConsoleSession) -> None:
    async with stage.signed_in(**{"accept-language": "ja"}) as client:
        page = (await client.get("/console/policy")).text
    table, _, rest = page.partition("</table>")
    rows = re.findall(r'<tr>\n<td class="lead".*?</tr>', table, re.DOTALL)
    shown = [re.findall(r'<span class="tag [^>]*>([^<]*)', row) for row in rows]
    assert shown[0] == ["参照", "許可"]
    assert shown[-1] == ["重大", "承認が必要"]
    assert "version: 1" not in table
    assert "version: 1" in rest.partition("<details")[2]


async def test_the_rules_of_a_file_show_whom_and_what_they_are_about(stage: ConsoleSession, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(RULES, encoding="utf-8")
    policy = ReadOnlyPolicy(ReloadablePolicy(tmp_path / "policy.yaml"))
    stage.console = replace(stage.console, service=replace(stage.console.service, policy=policy))
    stage.serve()
    async with stage.signed_in() as client:
        page = (await client.get("/console/policy")).text
    rows = re.findall(r'<tr>\n<td class="lead".*?</tr>', page, re.DOTALL)
    shown = [" ".join(re.sub(r"<[^>]*>", " ", row.replace("<wbr>", "")).split()) for row in rows]
    assert shown == [
        "Delete a tenant auth_delete_tenant deny Everyone Any – keep-tenants tenants stay",
        "write a change that is easily reversed needs approval support production – support-writes",
        "sends e-mail needs approval Everyone Any args.size() &gt; 3 mails",
        "Module pricing needs approval Everyone Any – prices",
        "All tools allow Everyone Any – others",
    ]
    assert "token:hanako" in page
    assert "This server only reads" in page

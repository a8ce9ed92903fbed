"""Pictures of ten questions for the documentation: in a terminal, and on the console of a desk and of a phone.

The questions are those of calls in the sandbox (scripts/stage.py), five in each language. `make screenshots` takes them and
writes the pages that show them.
"""

from __future__ import annotations

import html
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from PIL import Image

from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli.question_view import render_question
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.sandbox.state import uid
from saasus_mcp.store.records import Approval
from scripts.stage import ask
from scripts.story import values_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ViewportSize

    from tests.support.browser_server import BrowserServer

DOCS = Path(__file__).resolve().parents[1] / "docs"
IMAGES = DOCS / "images" / "questions"
COLUMNS = 84
DESK: ViewportSize = {"width": 1100, "height": 700}
PHONE: ViewportSize = {"width": 390, "height": 700}
LOCALES: Mapping[Language, str] = {"en": "en-GB", "ja": "ja-JP"}
STYLED = re.compile(r"\x1b\[([0-9]{1,2})m")
CLASSES = {"1": "bold", "2": "dim", "31": "red", "33": "yellow"}
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; display: inline-block; background: #12161d }}
pre {{ margin: 0; padding: 18px 24px; color: #e6e9ef; font: 15px/1.55 "Noto Sans Mono CJK JP", monospace }}
.bold {{ font-weight: 700 }} .dim {{ color: #a3adbd }} .red {{ color: #ff9b92 }} .yellow {{ color: #f0c267 }}
</style><pre>{text}</pre>"""
TIERS = [
    {"up_to": 100, "unit_amount": 0, "flat_amount": 0, "inf": False},
    {"up_to": 0, "unit_amount": 15, "flat_amount": 0, "inf": True},
]


@dataclass(frozen=True)
class Case:
    """One question: its name in file names, its language, and the call that it is about.

    Attributes:
        args: those that differ from the story's; without those that are None.
        first: arguments of the same operation in a call that comes before.
    """

    name: str
    lang: Language
    key: str
    args: Mapping[str, Any] = field(default_factory=dict)
    first: Mapping[str, Any] | None = None

    @property
    def file(self) -> str:
        return f"{self.name}-{self.lang}"


VIEWER = uid("user", "iroha.kazama@example.jp")
STARTER = {
    "next_plan_id": uid("plan", "starter"),
    "using_next_plan_from": 1_775_001_600,
    "next_plan_tax_rate_id": uid("tax", "jp_consumption_10"),
}
ORDERS = {
    "pricing_unit_id": uid("unit", "orders_tiered_usage"),
    "type": "tiered_usage",
    "unit_amount": None,
    "upper_count": 100_000,
    "description": "受注件数段階従量",
    "name": "orders_tiered_usage",
    "display_name": "受注件数段階従量",
    "metering_unit_name": "orders",
    "tiers": TIERS,
}
CASES = (
    Case("plan-change", "ja", "auth.UpdateTenantPlan", STARTER),
    Case("tenant-deletion", "ja", "auth.DeleteTenant"),
    Case("role-grant", "ja", "auth.CreateTenantUserRoles", {"user_id": VIEWER, "role_names": ["admin"]}),
    Case("price-change", "ja", "pricing.UpdatePricingUnit", ORDERS),
    Case("user-deletion", "ja", "auth.DeleteSaasUser"),
    Case("mfa-off", "en", "auth.UpdateUserMfaPreference", {"enabled": False, "method": None}, {"enabled": True}),
    Case("password-reset", "en", "auth.ResetSaasUserPassword"),
    Case("plan-change", "en", "auth.UpdateTenantPlan", {**STARTER, "delete_usage": True}),
    Case("invitation", "en", "auth.CreateTenantInvitation", {"envs": [{"id": 3, "role_names": ["admin"]}]}),
    Case("usage-correction", "en", "pricing.UpdateMeteringUnitTimestampCount", {"method": "direct", "count": 1500}),
)
PAGES: Mapping[Language, str] = {"en": "question-pictures.md", "ja": "question-pictures.ja.md"}
HEADS: Mapping[Language, str] = {
    "en": """# Questions in pictures

[日本語](question-pictures.ja.md)

Five questions, each as plain text (a client's dialog), in a terminal (`saasus-mcp approve`) and on the console, on a desk and on a phone. They
are calls in the sandbox; made by `make screenshots`. All questions as text: [Questions](questions.md).
""",
    "ja": """# 確認画面の例

[English](question-pictures.md)

5つの確認画面を、テキスト(クライアントのダイアログ)、ターミナル(`saasus-mcp approve`)、コンソール(PCとスマートフォン)で示します。
サンドボックスでの呼び出しから、`make screenshots`が生成しています。すべての文面: [確認画面の文面](questions.ja.md)
""",
}
VIEWS: Mapping[Language, Mapping[str, str]] = {
    "en": {"terminal": "terminal", "desk": "console", "phone": "phone"},
    "ja": {"terminal": "ターミナル", "desk": "コンソール", "phone": "スマートフォン"},
}


def take(browser: Browser, stage: BrowserServer, catalogue: Catalogue) -> None:
    """Take every picture, and write the pages."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    parts = {lang: [head] for lang, head in HEADS.items()}
    for number, case in enumerate(CASES):
        question = _asked(stage, catalogue, case)
        code = _kept(stage, case, question, number)
        _terminal(browser, case, question, code)
        for size in ("desk", "phone"):
            _console(browser, stage, case, code, size)
        parts[case.lang].append(_section(case, question))
    for lang, told in parts.items():
        (DOCS / PAGES[lang]).write_text("\n".join(told), encoding="utf-8")


def _asked(stage: BrowserServer, catalogue: Catalogue, case: Case) -> Question:
    """Return the question of a case, made in the stage's event loop: this thread has one of Playwright's."""
    values = values_for(catalogue.find(case.key))
    given = {name: value for name, value in {**values, **case.args}.items() if value is not None}
    before = [(case.key, {**values, **case.first})] if case.first else []
    asked: Question = stage.portal.call(ask, catalogue, case.key, given, *before)
    return asked


def _kept(stage: BrowserServer, case: Case, question: Question, number: int) -> str:
    """Request the approval on the console, and return its code."""
    now, code = time.time(), f"{'ABCDEFGHJK'[number] * 4}-2345"
    wanted = Approval(
        code=code,
        binding=str(number).rjust(64, "0"),
        subject=str(number).rjust(64, "0"),
        operation=case.key,
        principal=question.requester,
        profile="sandbox",
        saas_id="sandbox",
        name=question.name,
        preview=question.to_json(),
        bound="{}",
        status="pending",
        requested_at=now,
        expires_at=now + 900,
    )
    stage.pipeline.store.request_approval(wanted, len(CASES))
    return code


def _terminal(browser: Browser, case: Case, question: Question, code: str) -> None:
    command = click.style(f"$ saasus-mcp approve {code}", dim=True)
    lines = [command, "", *render_question(question, Reader.of(case.lang), COLUMNS)]
    page = browser.new_page(viewport=DESK, device_scale_factor=1)
    page.set_content(TERMINAL.format(text="\n".join(map(_coloured, lines))))
    _keep(page.locator("body").screenshot(), f"{case.file}-terminal")
    page.close()


def _keep(picture: bytes, name: str) -> None:
    """Write a picture with a palette, which takes a third of the room."""
    image = Image.open(BytesIO(picture)).convert("RGB").quantize(96, dither=Image.Dither.NONE)
    image.save(IMAGES / f"{name}.png", optimize=True)


def _coloured(line: str) -> str:
    """Return a line for a terminal as HTML: what follows a style has it until all styles end."""
    parts = STYLED.split(line)
    said = html.escape(parts[0])
    classes: list[str] = []
    for code, text in zip(parts[1::2], parts[2::2], strict=True):
        classes = [] if code == "0" else [*classes, CLASSES[code]]
        said += f'<span class="{" ".join(classes)}">{html.escape(text)}</span>' if classes else html.escape(text)
    return said


def _console(browser: Browser, stage: BrowserServer, case: Case, code: str, size: str) -> None:
    viewport = DESK if size == "desk" else PHONE
    context = browser.new_context(locale=LOCALES[case.lang], viewport=viewport, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{stage.url}/console")
    page.locator("#token").fill(stage.token("sato"))
    page.locator("#token").press("Enter")
    page.wait_for_url(f"{stage.url}/console")
    page.goto(f"{stage.url}/console/approvals/{code}")
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": viewport["width"], "height": height})  # the bar below the page covers nothing
    _keep(page.screenshot(), f"{case.file}-{size}")
    context.close()


def _section(case: Case, question: Question) -> str:
    pictures = "\n".join(
        f"![{case.name}: {said}](images/questions/{case.file}-{view}.png)" for view, said in VIEWS[case.lang].items()
    )
    return f"## {case.name}\n\n```text\n{render_dialog(question, Reader.of(case.lang))}\n```\n\n{pictures}\n"

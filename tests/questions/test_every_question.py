"""Rules that the question of every operation keeps, in both languages, in the story of the sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import Operation, load_catalogue
from saasus_mcp.catalog.question_texts import load_question_texts
from saasus_mcp.common.language import Language, Text
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.question.content import FileContent, NamedItem, Question, QuotedText, UnresolvedId
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.layout import LASTING_WARNINGS, MAX_LINES, dialog_lines
from scripts.questions import questions

CATALOGUE = load_catalogue()
ASKING = [operation for operation in CATALOGUE if not operation.reads]
LANGUAGES: tuple[Language, ...] = ("en", "ja")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
EPOCH = re.compile(r"(?<![\w,.:-])1[67]\d{8}(?:\d{3})?(?!\w)")
CODE = re.compile(r"\.map\(|\.filter\(|args\.|target\.|\[\{|\{['\"]|\['|\bTrue\b|\bFalse\b|\bNone\b|\bnull\b")
WIRE = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
QUOTATION = re.compile("“[^“”]*”|「[^「」]*」")
WORDS_IN_JAPANESE = frozenset(
    [
        "SANDBOX",
        "SHA",
        "SaaS",
        "SaaSus",
        "API",
        "ID",
        "URL",
        "HTML",
        "IP",
        "MFA",
        "SAML",
        "JST",
        "UTC",
        "DNS",
        "SES",
        "CSV",
        "SMS",
        "AWS",
        "Amazon",
        "Marketplace",
        "EventBridge",
        "Stripe",
        "Google",
        "Cognito",
        "CloudFormation",
        "DDL",
        "IAM",
        "ARN",
        "ALB",
        "VPC",
        "SNS",
        "SQS",
        "S3",
        "TOTP",
        "reCAPTCHA",
        "OpenAPI",
        "Gateway",
        "Smart",
        "x",
        "Tag",
        "Manager",
        "JPY",
        "USD",
        "SaaSID",
        "KB",
        "MB",
        "GB",
        "HTTP",
        "local",
        "support",
        "sandbox",
        "PATH",
        "GET",
        "POST",
        "PUT",
        "DELETE",
    ]
)


@cache
def asked(key: str) -> tuple[Question, ...]:
    return tuple(anyio.run(questions, CATALOGUE, CATALOGUE.find(key)))


EVERY = pytest.mark.parametrize("operation", ASKING, ids=lambda operation: operation.tool)


def own_words(question: Question, language: Language) -> str:
    """Return the text of a question outside quotations and names."""
    said = QUOTATION.sub("…", render_dialog(question, Reader.of(language)))
    for word in sorted(foreign(question), key=len, reverse=True):
        said = said.replace(word, "…")
    return said


def foreign(value: object) -> set[str]:
    """Every text of somebody else in a question, at any depth."""
    if isinstance(value, QuotedText | NamedItem | UnresolvedId | FileContent):
        return {
            text
            for text in (
                getattr(value, "digest", ""),
                getattr(value, "head", ""),
                getattr(value, "name", ""),
                getattr(value, "id", ""),
            )
            if text
        }
    if isinstance(value, tuple):
        return set().union(*map(foreign, value))
    if is_dataclass(value) and not isinstance(value, Text | Destination):
        return set().union(*(foreign(getattr(value, field.name)) for field in fields(value) if field.name != "details"))
    return set()


@EVERY
def test_it_has_at_most_twelve_lines_and_says_nothing_twice(operation: Operation) -> None:
    for question in asked(operation.key):
        for language in LANGUAGES:
            said = render_dialog(question, Reader.of(language)).splitlines()
            assert len(said) <= MAX_LINES
            assert len(set(said)) == len(said)


@EVERY
def test_the_headline_names_the_target_and_what_cannot_be_undone_stands_in_the_first_lines(
    operation: Operation,
) -> None:
    for question in asked(operation.key):
        first = dialog_lines(question)[:4]
        assert first[0].role == "headline"
        shown = {notice for line in first for notice in line.warnings}
        lasting = {notice for notice in question.warnings if notice.kind in LASTING_WARNINGS}
        assert lasting <= shown
        if any(notice.kind == "consequence" for notice in question.warnings):
            assert shown, question.warnings


@EVERY
def test_it_shows_no_id_where_there_is_a_name(operation: Operation) -> None:
    for question in asked(operation.key):
        assert not UUID.search(question.name), "the name to type"
        for language in LANGUAGES:
            assert UUID.findall(render_dialog(question, Reader.of(language))) == []


@EVERY
def test_it_holds_no_expression_no_json_and_no_epoch_seconds(operation: Operation) -> None:
    for question in asked(operation.key):
        for language in LANGUAGES:
            said = render_dialog(question, Reader.of(language))
            assert EPOCH.findall(said) == []
            assert CODE.findall(said) == []
            assert WIRE.findall(own_words(question, language)) == [], "wire names are for the details"


@EVERY
def test_the_japanese_question_is_japanese(operation: Operation) -> None:
    for question in asked(operation.key):
        said = own_words(question, "ja")
        assert set(re.findall(r"[A-Za-z][A-Za-z0-9]+", said)) - WORDS_IN_JAPANESE == set(), said


@EVERY
def test_no_secret_is_in_it(operation: Operation) -> None:
    for question in asked(operation.key):
        assert "Sandbox-pass-1" not in question.to_json()


def _paths(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for part in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        for name, below in part.get("properties", {}).items():
            yield above + name
            yield from _paths(below.get("items", below), f"{above}{name}.")


@EVERY
def test_every_field_of_the_present_state_has_a_label_in_japanese(operation: Operation) -> None:
    texts, effects = load_question_texts(), operation.effects
    recipe = effects.diff if effects.diff is not None and effects.diff.read is not None else effects.target
    if effects.diff is None or recipe is None or recipe.read is None:
        return
    answer = set(_paths(CATALOGUE.find(recipe.read).output_schema))
    for argument, present in effects.diff.now.items():
        place = (present or "").strip("()").removeprefix("result.") + "."
        for path in (each.removeprefix(place) for each in answer if each.startswith(place)):
            label = texts.field(operation.key, f"{argument}.{path}").label
            japanese = re.search(r"[ぁ-んァ-ヶ一-龠]", label.ja) is not None
            assert japanese or label.ja in WORDS_IN_JAPANESE, f"{operation.key}: {argument}.{path} is “{label.ja}”"

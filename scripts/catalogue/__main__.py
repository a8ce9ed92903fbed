"""Compile the catalogue, its search index and the messages. With --check, exit with 1 if a compiled file is stale."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from saasus_mcp.catalog import openapi_summary
from saasus_mcp.common.json_bytes import compact_json
from scripts.catalogue import (
    documents,
    effects,
    jobs,
    messages,
    presets,
    question_texts,
    recipe_checks,
    recipe_defaults,
    search_index,
    secret_marks,
    synonyms,
    tool_names,
)
from scripts.catalogue.operations import compile_operation
from scripts.catalogue.spec_file import SpecError

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "tool_specs"
CATALOGUE = ROOT / "saasus_mcp" / "catalog" / "catalogue.json"
SEARCH = CATALOGUE.with_name("search.json")
FACTS = CATALOGUE.with_name("facts.json")
JOBS = CATALOGUE.with_name("jobs.json")
CONFIRMATIONS = CATALOGUE.with_name("confirmations.json")
PRESETS = ROOT / "saasus_mcp" / "permissions" / "policy" / "presets.json"
MESSAGES = ROOT / "saasus_mcp" / "common"
MAX_NAME_LENGTH = 40


def compile_catalogue(specs: Path = SPECS) -> str:
    """Return the catalogue as JSON text, one operation a line, for readable diffs.

    Raises:
        SpecError: the documents and effects.yaml contradict each other.
    """
    sources = list(documents.read_operations(specs))
    table = effects.read_effects(specs / "effects.yaml")
    keys = [f"{source.module}.{source.node['operationId']}" for source in sources]
    for key in sorted(set(keys) ^ set(table)):
        missing = "effects.yaml has no row for it" if key in keys else "no document has this operation"
        raise SpecError(f"{key}: {missing}")
    routes = [(source.method, source.path) for source in sources]
    operations = [compile_operation(source, table[key], routes) for key, source in zip(keys, sources, strict=True)]
    for source, row in zip(sources, operations, strict=True):
        for difference in secret_marks.find_mark_differences(source, table[row["key"]], row):
            raise SpecError(f"{row['key']}: {difference}")
    _check_names(operations, _aliases(sources))
    _complete_recipes(operations)
    tools = tool_names.ToolNameRewriter(operations)
    for operation in operations:
        tools.rewrite(operation)
    lines = ",\n".join(map(compact_json, operations))
    return f'{{"aliases":{json.dumps(_aliases(sources), sort_keys=True)},"operations":[\n{lines}\n]}}\n'


def compile_index(catalogue: str, job_specs: str, specs: Path = SPECS) -> str:
    """Return the search index of a compiled catalogue and the compiled jobs as JSON text.

    Raises:
        SpecError: synonyms.yaml or search_phrases.yaml is invalid.
    """
    operations = json.loads(catalogue)["operations"]
    found_jobs = json.loads(job_specs)["jobs"]
    keys = [*(row["key"] for row in operations), *(row["name"] for row in found_jobs)]
    table = synonyms.read_synonyms(specs / "synonyms.yaml", keys)
    phrases = synonyms.read_search_phrases(specs / "search_phrases.yaml", keys)
    return search_index.compile_search_index(operations, found_jobs, table, phrases)


def compile_summary() -> str:
    """Return the summary that `specs diff` compares with published definitions, as JSON text, one operation a line."""
    summaries: dict[str, Any] = {}
    for module, document in documents.read_documents(SPECS):
        summaries |= openapi_summary.summarize_document(module, document)
    lines = ",\n".join(f"{json.dumps(key)}:{compact_json(row)}" for key, row in summaries.items())
    return f"{{\n{lines}\n}}\n"


def _aliases(sources: list[documents.SourceOperation]) -> dict[str, str]:
    """Return the current tool names by former name, from `x-tool.aliases` of each operation."""
    return {
        former: source.node["x-tool"]["name"]
        for source in sources
        for former in source.node["x-tool"].get("aliases", ())
    }


def _complete_recipes(operations: list[dict[str, Any]]) -> None:
    by_key = {row["key"]: row for row in operations}
    for row in operations:
        for unknown in recipe_checks.find_unknown_references(row, by_key):
            raise SpecError(f"effects.yaml: {row['key']}: {unknown}.")
        recipe_defaults.fill_recipe_defaults(row, by_key)
    for row in operations:
        for misfit in recipe_checks.find_misfits(row, by_key):
            raise SpecError(f"effects.yaml: {row['key']}: {misfit}")


def _check_names(operations: list[dict[str, Any]], aliases: dict[str, str]) -> None:
    names = [*(row["tool"] for row in operations), *aliases]
    for name in names:
        if len(name) > MAX_NAME_LENGTH or names.count(name) > 1:
            raise SpecError(f"{name}: a tool's name is unique and has at most {MAX_NAME_LENGTH} characters")


def main() -> None:
    try:
        texts = _compile_all()
    except SpecError as error:
        raise SystemExit(str(error)) from None
    for file, text in texts.items():
        if "--check" not in sys.argv[1:]:
            file.write_text(text, encoding="utf-8")
            print(f"{file.relative_to(ROOT)}: {len(text.encode()) // 1024} KiB")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{file.name} is stale: run `make catalogue` and review its difference")


def _compile_all() -> dict[Path, str]:
    """Return the text of each compiled file."""
    catalogue = compile_catalogue()
    operations = json.loads(catalogue)["operations"]
    levels = {row["key"]: row["effects"]["level"] for row in operations}
    job_specs = jobs.compile_jobs(SPECS / "jobs.yaml", levels, MAX_NAME_LENGTH)
    texts = {
        CATALOGUE: catalogue,
        SEARCH: compile_index(catalogue, job_specs),
        FACTS: compile_summary(),
        JOBS: job_specs,
        CONFIRMATIONS: question_texts.compile_question_texts(SPECS / "confirmations.yaml", operations),
        PRESETS: presets.compile_presets(PRESETS.with_name("presets")),
    }
    for language, text in messages.compile_messages(SPECS / "messages").items():
        texts[MESSAGES / f"messages.{language}.json"] = text
    return texts


if __name__ == "__main__":
    main()

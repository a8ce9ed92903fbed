"""What the documents claim is what the code does."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from saasus_mcp import __version__
from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.catalog.jobs import load_jobs
from saasus_mcp.cli import COMMANDS, commands
from saasus_mcp.settings.config import ProfileTable
from saasus_mcp.settings.environment import VARIABLES
from saasus_mcp.settings.hosting import AuthTable, HttpTable, JwtTable
from saasus_mcp.settings.models import StrictModel
from scripts.site.markdown import slug

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.ja.md")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", READMES)
def test_the_first_screen_has_the_two_commands_of_a_newcomer(name: str) -> None:
    first_screen = "\n".join(read(name).splitlines()[:15])
    assert "make demo" in first_screen
    assert "make test" in first_screen


@pytest.mark.parametrize("name", READMES)
def test_the_table_of_levels_counts_what_the_catalogue_holds(name: str, catalogue: Catalogue) -> None:
    claimed = {level: int(count) for level, count in re.findall(r"^\| (\w+) \| (\d+) \|", read(name), re.MULTILINE)}
    assert claimed == Counter(operation.level for operation in catalogue)


@pytest.mark.parametrize("page", READMES)
def test_every_setting_stands_in_the_readme(page: str) -> None:
    readme = read(page)
    for name, variables in VARIABLES.items():
        assert f"`{variables[0]}`" in readme, (name, variables)


@pytest.mark.parametrize("page", READMES)
def test_every_command_stands_in_the_readme(page: str) -> None:
    readme = read(page)
    for command in COMMANDS:
        assert f"saasus-mcp {command}" in readme or f"saasus-mcp [{command}]" in readme or f"({command}" in readme


def test_the_version_is_the_same_everywhere() -> None:
    server = json.loads(read("server.json"))
    project = tomllib.loads(read("pyproject.toml"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "saasus_mcp/__init__.py"
    assert {__version__} == {server["version"], *(item["version"] for item in server["packages"])}


def test_the_registry_finds_its_marker_in_the_readme() -> None:
    name = json.loads(read("server.json"))["name"]
    assert re.search(rf"mcp-name: {re.escape(name)}[^\w./-]", read("README.md"))


PAGES = sorted([ROOT / name for name in READMES] + [*(ROOT / "docs").rglob("*.md")])
SPAN = re.MULTILINE | re.DOTALL
CODE_BLOCK = re.compile(r"^ *```.*?^ *```", SPAN)
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]+`", SPAN)


def shown_commands(text: str) -> Iterator[list[str]]:
    """Yield the words after `saasus-mcp` in every piece of code of a page, a comment behind it left out."""
    for code in CODE.findall(text):
        for line in code.strip("`").splitlines():
            said = re.search(r"(?:^|\s)saasus-mcp((?: +[^\s|#(&>]+)*)", line)
            if said and not line.lstrip().startswith(("#", "claude ", "Usage:", "image", "docker")):
                yield said[1].split()


def commands_of(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command there is, with its names from the program's on."""
    yield path, group
    if isinstance(group, click.Group):
        for name in group.list_commands(click.Context(group)):
            below = group.get_command(click.Context(group), name)
            assert below is not None
            yield from commands_of(below, (*path, name))


def flags_of(command: click.Command) -> set[str]:
    return {
        flag
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }


def test_every_command_and_every_flag_stands_in_the_reference() -> None:
    page = read("docs/commands.md")
    sections = dict(re.findall(r"^#+ saasus-mcp ([a-z -]+)\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL))
    for path, command in commands_of(commands):
        if path:
            said = sections[" ".join(path)]
            missing = {flag for flag in flags_of(command) if flag not in said}
            assert missing == set(), path


def test_the_help_of_job_names_every_job() -> None:
    page = read("docs/commands.md")
    section = page[page.index("## saasus-mcp job\n") :].split("\n## ")[0]
    assert [job.name for job in load_jobs() if job.name.removeprefix("job_") not in section] == []


def test_every_command_and_every_flag_that_a_page_shows_exists() -> None:
    known = dict(commands_of(commands))
    seen = 0
    for page in PAGES:
        for words in shown_commands(page.read_text(encoding="utf-8")):
            path: tuple[str, ...] = ()
            for word in words:
                path = (*path, word) if (*path, word) in known else path
            first = words[0] if words else ""
            assert path or first in {"", "COMMAND", "コマンド", "[serve]"} or first.startswith("-"), (page.name, words)
            allowed = flags_of(known[path or ("serve",)]) | {"--help", "--version"}
            wrong = {word.strip("[]") for word in words if word.strip("[").startswith("--")} - allowed
            assert wrong == set(), (page.name, words)
            seen += 1
    assert seen > 100


CORPUS = re.compile(r"<!-- corpus: begin -->.*<!-- corpus: end -->", re.DOTALL)
"""The attacks, some of which misspell a variable."""


def test_every_variable_that_a_page_names_is_one_that_is_read() -> None:
    settings = {name for variables in VARIABLES.values() for name in variables}
    flags = {
        param.envvar
        for _, command in commands_of(commands)
        for param in command.params
        if isinstance(param.envvar, str)
    }
    for page in PAGES:
        text = re.sub(CORPUS, "", page.read_text(encoding="utf-8"))
        named = set(re.findall(r"\bSAASUS_(?:MCP|PLATFORM|API|SAAS|SECRET)[A-Z_]*\b", text))
        assert named - settings - flags - {"SAASUS_MCP_", "SAASUS_MCP_TOKEN", "SAASUS_PLATFORM_"} == set(), page.name


@pytest.mark.parametrize("language", ["", ".ja"], ids=["en", "ja"])
@pytest.mark.parametrize("table", [ProfileTable, HttpTable, AuthTable, JwtTable], ids=lambda table: table.__name__)
def test_every_field_of_the_configuration_file_is_reported(table: type[StrictModel], language: str) -> None:
    told = read(f"docs/configuration{language}.md") + read(f"docs/hosting{language}.md")
    assert {name for name in table.model_fields if not re.search(rf"\b{name}\b", told)} == set()


TRANSLATED = sorted({page.with_suffix("").with_suffix("") for page in PAGES if page.name.endswith(".ja.md")})
GENERATED = ("docs/attacks", "docs/commands", "docs/question", "docs/tools")
"""Pages that scripts make in each language. What the program says there differs, and so do the pictured questions."""
WHOLE = [page for page in TRANSLATED if not page.relative_to(ROOT).as_posix().startswith(GENERATED)]


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_every_page_is_there_in_both_languages() -> None:
    alone = {page_id(page) for page in PAGES if ".ja." not in page.name and not page.with_suffix(".ja.md").exists()}
    assert alone <= {"docs/README.md"}


def both(page: Path) -> tuple[str, str]:
    """Return a page in English and in Japanese, without the table of attacks, which is in English alone."""
    english, japanese = (page.with_suffix(end).read_text(encoding="utf-8") for end in (".md", ".ja.md"))
    return CORPUS.sub("", english), japanese


def shape(text: str) -> list[str]:
    """Return the headings, rows, items and buttons of a page, in order."""
    telling = [line for line in CODE.sub("", text).splitlines() if line.startswith(("#", "|", "-", "[!["))]
    return [f"row of {line.count('|')}" if line[0] == "|" else line.split(" ")[0][:3] for line in telling]


def links(text: str) -> set[str]:
    """Return the pages of ours that a page leads to, in whichever language."""
    targets = re.findall(r"\]\((?!https?:|(?:\.\./|docs/)?images/)([^)#\s]+)", text)
    return {target.replace(".ja.", ".") for target in targets}


@pytest.mark.parametrize("page", [page for page in TRANSLATED if page.name != "index"], ids=page_id)
def test_a_page_and_its_translation_lead_to_each_other(page: Path) -> None:
    english, japanese = both(page)
    assert f"[日本語]({page.name}.ja.md)" in english
    assert f"({page.name}.md)" in japanese


@pytest.mark.parametrize("page", WHOLE, ids=page_id)
def test_a_translation_has_the_sections_tables_and_links_of_its_page(page: Path) -> None:
    english, japanese = both(page)
    assert shape(english) == shape(japanese)
    assert links(english) == links(japanese)


@pytest.mark.parametrize("page", [page for page in WHOLE if page.name != "README"], ids=page_id)
def test_a_translation_shows_the_code_of_its_page(page: Path) -> None:
    """But for what stands behind a `#` and in a block of text, as a question is: those words are in the reader's language."""
    english, japanese = (
        [
            re.sub(r" +# .*$| +$", "", block, flags=re.MULTILINE)
            for block in re.findall(r"^```.*?^```", text, SPAN)
            if not block.startswith("```text")
        ]
        for text in both(page)
    )
    assert english == japanese


@pytest.mark.parametrize("page", WHOLE, ids=page_id)
def test_a_translation_names_what_its_page_names(page: Path) -> None:
    """Variables, flags, paths and settings stand in code, which is the same in every language."""
    english, japanese = (
        set(re.findall(r"`((?:SAASUS_|OTEL_|--|/|job_)[\w/-]+)", re.sub(r"^```.*?^```", "", text, flags=SPAN)))
        for text in both(page)
    )
    assert english == japanese


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"(?:\]\(|src=\")(?!https?:)([^)\s\"]+)[)\"]", text):
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", CODE_BLOCK.sub("", there.read_text(encoding="utf-8")), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


def test_every_page_is_in_the_index() -> None:
    index = read("docs/README.md")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").as_posix()
        listed = name.startswith(("README", "index.", "overview.", "tools/")) or f"({name})" in index
        assert listed, name


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    """A page that is not there is built, and found by nobody."""
    site = read("mkdocs.yml")
    english = {
        page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.parent != ROOT and ".ja." not in page.name
    }
    assert {name for name in english - {"README.md"} if f" {name}\n" not in site} == set()


def test_ci_runs_exactly_what_the_readme_tells() -> None:
    commands = [line for line in read(".ci/run").splitlines() if line.startswith("make ")]
    assert commands[:2] == ["make check", "make coverage"]
    assert all(command in read("README.md") for command in commands)


def test_both_documents_say_why_it_is_httpx2() -> None:
    for name in ("README.md", "ARCHITECTURE.md"):
        assert "httpx2" in read(name)
        assert "mix" in read(name)


def test_no_registry_host_is_written_anywhere() -> None:
    host = re.compile(r"files\.python" r"hosted|pypi\.o" r"rg/simple")
    for file in ("requirements.lock", "pyproject.toml", "Makefile", "server.json", "README.md"):
        assert not host.search(read(file)), file


def prose_links(page: Path) -> list[tuple[str, str]]:
    """Return the texts and targets of the links of a page to files of ours."""
    return re.findall(r"\[([^\]]*)\]\((?!https?:)([^)#\s]+)", CODE.sub("", page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_link_says_where_it_leads_and_not_the_name_of_a_file(page: Path) -> None:
    assert [text for text, _ in prose_links(page) if re.fullmatch(r"[\w./-]+\.md", text)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name.endswith(".ja.md")], ids=page_id)
def test_a_translation_leads_to_translations(page: Path) -> None:
    leads = {target for text, target in prose_links(page) if text != "English" and ".ja." not in target}
    assert {target for target in leads if (page.parent / target).with_suffix(".ja.md").exists()} == set()


NUMBERS = re.compile(
    r"(?<![\d,])(\d+)(?: typed MCP tools| tools, create|(?: API)? operations(?: and (\d+) jobs| of \[SaaSus)|"
    r"(?:個|件)の操作(?:と(\d+)(?:個|件)のジョブ|すべて)|個のMCPツール|個のツール|個あるAPI操作)"
)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_page_that_counts_operations_and_jobs_counts_those_of_the_catalogue(page: Path) -> None:
    counts = {str(len(load_catalogue())), str(len(load_jobs()))}
    found = NUMBERS.findall(page.read_text(encoding="utf-8"))
    assert {number for numbers in found for number in numbers if number} <= counts


def test_the_pages_at_the_beginning_count_operations() -> None:
    for name in (
        "README.md",
        "README.ja.md",
        "docs/index.md",
        "docs/index.ja.md",
        "docs/toolsets.md",
        "docs/toolsets.ja.md",
    ):
        assert NUMBERS.search(read(name)), name

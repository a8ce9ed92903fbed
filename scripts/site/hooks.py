"""What MkDocs does beside its settings in mkdocs.yml: it adapts the pages of the repository, and writes the pages for models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from mkdocs.plugins import event_priority  # noqa: E402

from saasus_mcp import __version__  # noqa: E402
from scripts.site import llms, markdown, search  # noqa: E402 - MkDocs loads this file by its path

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page


def on_config(config: MkDocsConfig) -> None:
    """Give headings the anchors that GitHub gives them, and the footer the version that the pages describe."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = markdown.slug
    config.copyright = f"saasus-mcp {__version__} · Apache-2.0"  # whole, as this is called for each language


def on_page_markdown(text: str, page: Page, **_: Any) -> str:
    """Return a page as the site shows it. A page that scripts write has no link to edit it."""
    path = f"docs/{page.file.src_uri}"
    if markdown.is_generated(page.file.src_uri):
        page.edit_url = None
    elif page.edit_url and path in markdown.READMES:
        page.edit_url = page.edit_url.replace(path, markdown.READMES[path])
    page.meta["search"] = {"boost": search.boost(page.file.src_uri)}
    return markdown.site_page(ROOT, path, text)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Return the document of a page."""
    return search.with_own_index(page.url, output)


@event_priority(-200)  # type: ignore[untyped-decorator]  # after the plugin for languages, whose builds write the index again
def on_post_build(config: MkDocsConfig) -> None:
    """Write the pages for models, once for both languages, and the index of each language."""
    search.write(Path(config.site_dir))
    llms.write(ROOT, Path(config.site_dir), config.site_url or "")

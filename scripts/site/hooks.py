"""What MkDocs does beside its settings in mkdocs.yml: it adapts the pages of the repository, and writes the pages for models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from scripts.site import llms, markdown  # noqa: E402 - MkDocs loads this file by its path

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page


def on_config(config: MkDocsConfig) -> None:
    """Give headings the anchors that GitHub gives them."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = markdown.slug


def on_page_markdown(text: str, page: Page, **_: Any) -> str:
    """Return a page as the site shows it."""
    return markdown.site_page(ROOT, f"docs/{page.file.src_uri}", text)


def on_post_build(config: MkDocsConfig) -> None:
    """Write the pages for models, once for both languages."""
    llms.write(ROOT, Path(config.site_dir), config.site_url or "")

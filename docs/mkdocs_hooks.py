"""What mkdocs calls: pages and tables that are made from the code, and the change log."""

from __future__ import annotations

import re
from pathlib import Path

from generate import commands, hooks, laws, markers, plugins
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

#: ``{{ name }}`` in a page -> what stands there.
GENERATED = {
    "commands": commands.commands,
    "hooks": hooks.hooks,
    "laws": laws.laws,
    "methods": plugins.methods,
    "quantized": plugins.quantized,
    "components": plugins.components,
}
PLUGIN_PAGES = "reference/plugins"
CHANGES = "CHANGELOG.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put one page for each plugin into the navigation, where ``plugins`` is written."""
    for section in config.nav or []:
        for part in section.values():
            if isinstance(part, list) and "plugins" in part:
                pages = [{name: f"{PLUGIN_PAGES}/{name}.md"} for name in plugins.names()]
                part[part.index("plugins")] = {"Plugins": [f"{PLUGIN_PAGES}/index.md", *pages]}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the plugins, and the change log, which lies beside this folder."""
    changes = Path(config.docs_dir).with_name(CHANGES).read_text(encoding="utf-8")
    changes = re.sub(r"\[([^]]+)\]\((?!https?:|docs/)[^)]*\)", r"\1", changes).replace("](docs/", "](")
    files.append(File.generated(config, CHANGES, content=changes))
    for name in plugins.names():
        files.append(File.generated(config, f"{PLUGIN_PAGES}/{name}.md", content=plugins.page(name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill the markers of a page, and lead links to the change log to its page."""
    return markers.filled(markdown, GENERATED).replace(f"](../{CHANGES})", f"]({CHANGES})")

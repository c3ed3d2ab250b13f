"""Templates and the files made from them. Everything that a template is given is escaped, but the READMEs' HTML."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from .extra import needed


class Pages:
    """The pages of a site in ``folder``. ``shared``: what every template is given."""

    def __init__(self, folder: Path, **shared: Any) -> None:
        self.folder = folder
        self.shared = shared

    @cached_property
    def _templates(self) -> Any:
        jinja = needed("jinja2")
        made = jinja.Environment(loader=jinja.PackageLoader(__package__), autoescape=True, trim_blocks=True,
                                 lstrip_blocks=True, undefined=jinja.StrictUndefined)
        made.globals.update(self.shared)
        return made

    def write(self, path: str, template: str, **content: Any) -> None:
        """Write the page at ``path`` in the site; ``root`` leads from there to the site's root."""
        text = self._templates.get_template(template).render(root="../" * path.count("/"), path=path, **content)
        self.write_text(path, text)

    def write_text(self, path: str, text: str) -> None:
        """Write a file that needs no template."""
        file = self.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")

"""``harness show``: what is declared of a component, for people."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from harness.cli import app


@pytest.mark.parametrize(("name", "says"), [
    ("variation", ["Kinds of tasks  all", "Bits  weights 1 to 8, activations 1 to 8, word embeddings 1 to 8",
                   "Bits in classification  weights 2 to 8, activations 2 to 8", "Bits in detection  weights 2 to 8"]),
    ("mckd", ["Kinds of tasks  classification"]),
    ("glue-sst2", ["Kind  language; methods that train run on it"]),
    ("timm-swin", ["Attention class  timm.models.swin_transformer.WindowAttention"]),
])
def test_what_is_supported_is_shown(name: str, says: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = CliRunner().invoke(app, ["show", name])
    assert done.exit_code == 0, done.output
    for line in says:
        assert line in done.output

"""Commands that read records: bad ones are named, the rest is used, the exit code is 1."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import typer
from made_records import make_record
from typer.testing import CliRunner, Result

from harness import OptionError
from harness.cli.export import export
from harness.cli.merge import merge
from harness.cli.records import INCOMPLETE, reading
from harness.results.storage.store import Store

app = typer.Typer()
app.command("export")(export)
app.command("merge")(merge)


@app.command("look")
def look(results: Path) -> None:
    """A command as others are: it shows what there is."""
    with reading() as read:
        entries = read.entries(Store(results), task="imagenet")
        typer.echo(" ".join(entry.asked.method for entry in entries))


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "results")
    for method in ("minmax", "omse", "igqvit"):
        store.put(make_record(method))
    return store


def test_all_is_well(store: Store) -> None:
    done = call("look", store.folder)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "igqvit minmax omse\n", "")


def _cut(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:100])
    return "Restore the file"


def _newer(path: Path) -> str:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    return "pip install --upgrade"


def _edited(path: Path) -> str:
    path.write_text(path.read_text().replace('"top1": 75.0', '"top1": 76.0'))
    return "changed after it was written"


def _edited_question(path: Path) -> str:
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    return "Restore the file"


def _sealed_again(path: Path) -> str:
    """The checksum taken out as well: what is left does not fit its own samples' bytes."""
    data = json.loads(path.read_text())
    del data["checksum"]
    data["per_sample"]["n"] = 40
    path.write_text(json.dumps(data))
    return "bytes of per-sample data"


def _named_after_another(path: Path) -> str:
    path.rename(path.with_name(f"omse-vit_mini-4-4-s0-{'0' * 12}.json"))
    return "Restore the file's name: omse-vit_mini-4-4-s0-"


def _in_another_folder(path: Path) -> str:
    """Moved the other way: a record of GLUE among those of ImageNet."""
    stranger = Store(path.parents[2]).put(make_record(task="glue-rte"))
    stranger.rename(path.parent / stranger.name)
    path.unlink()
    return "Move it to"


def _twice(path: Path) -> str:
    path.with_name(f"copy-{path.name}").write_text(make_record("omse", right=[1, 1]).to_json())
    return f"than {path}"


@pytest.mark.parametrize("spoil", [_cut, _newer, _edited, _edited_question, _sealed_again, _named_after_another,
                                   _in_another_folder, _twice])
def test_a_bad_record_is_named_and_the_rest_shown(store: Store, spoil: Callable[[Path], str]) -> None:
    path = next(store.records_folder.glob("*/omse-*"))
    said = spoil(path)
    files = {file.name for file in store.files()}
    for _ in range(2):  # also when the index has it already
        done = call("look", store.folder)
        assert done.exit_code == INCOMPLETE
        assert done.stdout == "igqvit minmax\n"
        assert said in done.stderr
        assert done.stderr.count("warning: ") == 1
        assert any(name in done.stderr for name in files)
        assert len(done.stderr.strip().splitlines()) == 2, "what is wrong, and what to do"


def test_an_empty_folder_is_named(tmp_path: Path, store: Store) -> None:
    done = call("look", tmp_path / "nothing")
    assert done.exit_code == INCOMPLETE
    assert f"no records in {tmp_path / 'nothing'}" in done.stderr
    shutil.rmtree(store.records_folder / "imagenet")
    store.put(make_record(task="glue-rte"))
    assert call("look", store.folder).exit_code == 0, "there are records, of other tasks"


def test_an_error_of_the_command_itself_stays_what_it_is(store: Store) -> None:
    (store.records_folder / "imagenet" / "x.json").write_text("")

    def mistaken() -> None:
        with reading() as read:
            read.entries(store)
            raise OptionError("another mistake")
    with pytest.raises(OptionError):
        mistaken()


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_export(store: Store, tmp_path: Path, form: str) -> None:
    done = call("export", "--output", tmp_path / "out", "--format", form, "--results", store.folder)
    assert done.exit_code == 0, done.output
    read = {"parquet": pd.read_parquet, "csv": pd.read_csv}[form]
    frames = {name: read(tmp_path / "out" / f"{name}.{form}") for name in ("records", "metrics", "sites")}
    assert frames["records"]["method"].tolist() == ["igqvit", "minmax", "omse"]
    assert frames["metrics"]["value"].tolist() == [75.0] * 3
    assert len(frames["sites"]) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    call("export", "--output", tmp_path / "out", "--format", form, "--results", store.folder)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before, "the same bytes"


def test_export_of_some(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    next(store.records_folder.glob("*/omse-*")).write_text("{")
    done = call("export", "--output", out, "--frames", "records", "--method", "minmax,igqvit", "--format", "csv",
                "--results", store.folder)
    assert (done.exit_code, [path.name for path in out.iterdir()]) == (INCOMPLETE, ["records.csv"])
    assert "omse" in done.stderr
    assert pd.read_csv(out / "records.csv")["method"].tolist() == ["igqvit", "minmax"]
    with pytest.raises(OptionError, match=r"colours(.|\n)*records, metrics, sites"):
        CliRunner().invoke(app, ["export", "--output", str(out), "--frames", "colours"], catch_exceptions=False)


def test_merge(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    other.put(make_record("omse", right=[0, 1]))
    other.put(make_record("omse", seed=1))
    done = call("merge", other.folder, "--results", store.folder)
    assert done.exit_code == INCOMPLETE
    assert "1 added, 0 known, 1 left out" in done.stdout
    assert str(other.folder) in done.stderr
    assert str(store.folder) in done.stderr
    assert len(store.files()) == 4

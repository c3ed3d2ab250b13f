"""Runs in MLflow: what arrives there, and that nothing that goes wrong there reaches a run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.discovery import Plugin, plugin_manager, register
from harness.engine.plan import Run
from harness.request import Bits, Resolved
from harness.results.record import Costs, Environment, Failure, Record
from harness_plugins import mlflow_logging


@pytest.fixture
def client(tmp_path, monkeypatch):
    """A client of an empty tracking folder, which the plugin logs to."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("HARNESS_MLFLOW", f"file:{tmp_path / 'mlruns'}")
    monkeypatch.delenv("RANK", raising=False)
    mlflow_logging._log.cache_clear()
    from mlflow.tracking import MlflowClient
    return MlflowClient(f"file:{tmp_path / 'mlruns'}")


@pytest.fixture
def run():
    task = Resolved(task="toy", scale="mini", model="tiny", fingerprint="d0", weights_hash="w0", notice="TOY scale")
    options = {"search": {"name": "grid", "options": {"factor": 0.5, "widths": [1, 2]}}, "mixed": None}
    return Run(task, "minmax", Bits(4, 4), 3, 32, None, options, {"search": {"factor": 0.5}}, budget="1ep")


def _record(run, **fields):
    shared = {"asked": run.asked, "environment": Environment(harness="0.1.0", python="3.11", commit="abc"),
              "created": "2025-01-02T03:04:05+00:00", "timings": {"calibrate": 1.5}, "peak_memory": 1000}
    measured = {"status": "ok", "metrics": {"top1": 75.0, "AP@50": 20.5}, "main_metric": "top1",
                "costs": Costs(macs=10, bops={"plain": 1e9}, parameters=5, sizes={"plain": 2e6})}
    return Record(**{**shared, **measured, **fields})


def _logged(client):
    (experiment,) = [found for found in client.search_experiments() if found.name == "toy"]
    return client.search_runs([experiment.experiment_id])


def test_a_measured_run_is_logged_whole(client, run, tmp_path):
    mlflow_logging.harness_run_started(run)
    mlflow_logging.harness_run_phase(run, "calibrate")
    (going,) = _logged(client)
    assert going.info.status == "RUNNING"
    assert going.data.tags["phase"] == "calibrate"

    record = _record(run)
    mlflow_logging.harness_run_finished(run, record)
    (logged,) = _logged(client)
    assert logged.info.status == "FINISHED"
    assert logged.info.run_name == "minmax 4/4 on toy (tiny, mini), seed 3, budget 1ep"
    assert logged.data.params == {
        "task": "toy", "scale": "mini", "model": "tiny", "method": "minmax", "bits": "4/4", "seed": "3",
        "calibration_size": "32", "budget": "1ep", "configuration.search.name": "grid",
        "configuration.search.options.factor": "0.5", "configuration.search.options.widths": "[1, 2]",
        "options.search.factor": "0.5"}
    assert logged.data.metrics == {"top1": 75.0, "AP_50": 20.5, "bops.plain": 1e9, "bytes.plain": 2e6,
                                   "seconds.calibrate": 1.5, "peak_memory": 1000.0}
    tags = {key: value for key, value in logged.data.tags.items() if not key.startswith("mlflow.")}
    assert tags == {"identity": run.identity, "data": "d0", "weights": "w0", "notice": "TOY scale",
                    "phase": "calibrate", "commit": "abc"}
    kept = client.download_artifacts(logged.info.run_id, "record.json", str(tmp_path))
    assert Record.from_json(Path(kept).read_text(encoding="utf-8")) == record


def test_a_failed_run_says_why(client, run):
    failure = Failure(phase="calibrate", reason="NaN in the input", error="QuantizationError")
    mlflow_logging.harness_run_started(run)
    mlflow_logging.harness_run_failed(run, _record(run, status="failed", failure=failure, metrics={}, main_metric="",
                                                   costs=None))
    (logged,) = _logged(client)
    assert logged.info.status == "FAILED"
    assert logged.data.tags["failure"] == "calibrate: NaN in the input"


def test_more_options_than_one_request_takes(client, run):
    many = {f"option{number}": number for number in range(250)}
    mlflow_logging.harness_run_started(Run(run.task, "minmax", Bits(4, 4), 0, 32, None, many))
    (logged,) = _logged(client)
    assert sum(key.startswith("configuration.") for key in logged.data.params) == 250


def test_two_runs_of_one_process_share_their_experiment(client, run):
    for seed in (0, 1):
        one = Run(run.task, "minmax", Bits(8, 8), seed, 32, None)
        mlflow_logging.harness_run_started(one)
        mlflow_logging.harness_run_finished(one, _record(one))
    assert sorted(found.data.params["seed"] for found in _logged(client)) == ["0", "1"]


@pytest.mark.parametrize("variables", [{}, {"HARNESS_MLFLOW": "off", "MLFLOW_TRACKING_URI": "file:/nowhere"},
                                       {"HARNESS_MLFLOW": "file:/nowhere", "RANK": "1"}])
def test_without_a_place_to_log_mlflow_is_not_even_imported(variables):
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from types import SimpleNamespace as S\n"
         "from harness_plugins import mlflow_logging as m\nrun = S(identity='a')\n"
         "m.harness_run_started(run); m.harness_run_phase(run, 'build'); m.harness_run_finished(run, None)\n"
         "assert 'mlflow' not in sys.modules"], env={"PATH": "", **variables}, capture_output=True, text=True,
        check=False)
    assert done.returncode == 0, done.stderr


def test_mlflows_own_variable_names_a_place_too(monkeypatch):
    monkeypatch.delenv("HARNESS_MLFLOW", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://here")
    assert mlflow_logging.tracking_uri() == "http://here"
    monkeypatch.setenv("HARNESS_MLFLOW", "http://there")
    assert mlflow_logging.tracking_uri() == "http://there"


def test_a_server_that_is_away_is_a_warning_and_costs_seconds(client, run, monkeypatch):
    monkeypatch.setenv("HARNESS_MLFLOW", "http://127.0.0.1:9")  # the discard port: nobody listens
    start = time.monotonic()
    with pytest.warns(RuntimeWarning, match="MLflow: MlflowException"):
        mlflow_logging.harness_run_started(run)
    assert time.monotonic() - start < 20
    mlflow_logging.harness_run_phase(run, "build")  # no more of this run: neither a warning nor a wait
    mlflow_logging.harness_run_finished(run, _record(run))


def test_a_server_that_fails_on_the_way_ends_the_logging_of_that_run_only(client, run, monkeypatch):
    mlflow_logging.harness_run_started(run)
    log = mlflow_logging._log(mlflow_logging.tracking_uri())
    with monkeypatch.context() as broken:
        broken.setattr(log._client, "set_tag", lambda *_: 1 / 0)
        with pytest.warns(RuntimeWarning, match="ZeroDivisionError"):
            mlflow_logging.harness_run_phase(run, "calibrate")
    mlflow_logging.harness_run_finished(run, _record(run))
    (left,) = _logged(client)
    assert left.info.status == "RUNNING"
    other = Run(run.task, "minmax", Bits(8, 8), 0, 32, None)
    mlflow_logging.harness_run_started(other)
    mlflow_logging.harness_run_finished(other, _record(other))
    assert sorted(found.info.status for found in _logged(client)) == ["FINISHED", "RUNNING"]


def test_a_missing_mlflow_is_said(run, monkeypatch):
    monkeypatch.setenv("HARNESS_MLFLOW", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    monkeypatch.delitem(sys.modules, "harness_plugins.mlflow_logging.run_log", raising=False)
    mlflow_logging._log.cache_clear()
    with pytest.warns(RuntimeWarning, match=r"pip install 'quantization-harness\[mlflow\]'"):
        mlflow_logging.harness_run_started(run)


def test_an_interrupted_run_is_marked_so(client, run):
    mlflow_logging.harness_run_started(run)
    mlflow_logging._log(mlflow_logging.tracking_uri())._interrupted()
    (logged,) = _logged(client)
    assert logged.info.status == "KILLED"


def test_its_hooks_are_those_of_the_harness():
    plugin = Plugin("mlflow_logging", "harness_plugins.mlflow_logging", "quantization-harness", "0.1.0")
    register(plugin_manager(), plugin, mlflow_logging)
    assert not plugin.problem

"""What of a run goes to MLflow, and how it is called there."""

from __future__ import annotations

import atexit
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

# MLflow's own defaults keep a run waiting for four minutes at each call when the server is away, and tell MLflow's
# makers of its use.
for _name, _value in {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
                      "MLFLOW_DISABLE_TELEMETRY": "true"}.items():
    os.environ.setdefault(_name, _value)

from mlflow.entities import Metric, Param  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402

#: MLflow's limits: items of one request, characters of a value.
_BATCH = 100
_LONGEST = 500


class RunLog:
    """The runs of this process in one tracking server: an experiment a task, an MLflow run a run."""

    def __init__(self, uri: str) -> None:
        self._client = MlflowClient(uri)
        self._open: dict[str, str] = {}
        atexit.register(self._interrupted)

    def tell(self, event: str, run: Any, *details: Any) -> None:
        """Log an event (``started``, ``entered``, ``ended``); of a run whose event fails no more is logged."""
        try:
            getattr(self, event)(run, *details)
        except Exception:
            self._open.pop(run.identity, None)
            raise

    def started(self, run: Any) -> None:
        """Open an MLflow run: what was asked as its parameters, identities as its tags."""
        asked = run.asked.model_dump(mode="json")
        tags = {"identity": run.identity, "data": asked.pop("fingerprint"), "weights": asked.pop("weights_hash"),
                "notice": run.task.notice}
        made = self._client.create_run(self._experiment(run.task.task), run_name=run.label, tags=tags)
        self._open[run.identity] = made.info.run_id
        parameters = {**dict(_flat(asked)), **dict(_flat({"options": run.given}))}
        for some in _batches(Param(_name_of(key), text[:_LONGEST]) for key, text in parameters.items()):
            self._client.log_batch(made.info.run_id, params=some)

    def entered(self, run: Any, phase: str) -> None:
        """Say in a tag where the run is."""
        if run.identity in self._open:
            self._client.set_tag(self._open[run.identity], "phase", phase)

    def ended(self, run: Any, record: Any) -> None:
        """Log what was measured, or why it failed; close the MLflow run, and leave the record there as a file."""
        identifier = self._open.pop(run.identity, None)
        if identifier is None:
            return
        milliseconds = int(1000 * datetime.fromisoformat(record.created).timestamp())
        for some in _batches(Metric(_name_of(key), value, milliseconds, 0) for key, value in _measured(record)):
            self._client.log_batch(identifier, metrics=some)
        self._client.set_tag(identifier, "commit", record.environment.commit)
        if record.failure is not None:
            self._client.set_tag(identifier, "failure", f"{record.failure.phase}: {record.failure.reason}"[:_LONGEST])
        self._client.set_terminated(identifier, "FINISHED" if record.status == "ok" else "FAILED")
        self._client.log_text(identifier, record.to_json(), "record.json")

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return found.experiment_id if found else self._client.create_experiment(name)

    def _interrupted(self) -> None:
        """At the end of the process: what is still open was interrupted."""
        for identifier in self._open.values():
            with suppress(Exception):
                self._client.set_terminated(identifier, "KILLED")


def _measured(record: Any) -> Iterator[tuple[str, float]]:
    yield from record.metrics.items()
    if record.costs is not None:
        yield from ((f"bops.{name}", value) for name, value in record.costs.bops.items())
        yield from ((f"bytes.{name}", value) for name, value in record.costs.sizes.items())
    yield from ((f"seconds.{phase}", value) for phase, value in record.timings.items())
    if record.peak_memory is not None:
        yield "peak_memory", float(record.peak_memory)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested options as ``a.b.c`` -> text; lists as JSON."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    known = list(items)
    return (known[start:start + _BATCH] for start in range(0, len(known), _BATCH))


def _name_of(key: str) -> str:
    """``key`` with nothing that MLflow does not take in a name."""
    return re.sub(r"[^\w\-. /]", "_", key)[:250]

"""Records as tidy pandas frames: a line a record, a metric, a site."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .entry import Entry
from .record_file import Unreadable
from .tables.row_labels import Ablations, RowLabels

if TYPE_CHECKING:
    import pandas as pd

    from .storage.store import Filter, Store


class Frames:
    """Tidy frames of records; each is made when it is first looked at. ``identity`` joins them.

    ``ablations``: the options that have a name. ``unreadable``: the files that were left out.
    """

    def __init__(self, entries: Sequence[Entry], ablations: Ablations, unreadable: Sequence[Unreadable] = ()) -> None:
        self._entries = entries
        self._ablations = ablations
        self.unreadable = tuple(unreadable)

    @classmethod
    def of(cls, store: Store, *, task: Filter, model: Filter, method: Filter, bits: Filter) -> Frames:
        """The frames of a store's records; warns of files that hold none."""
        from ..registry import registry

        if not store.records_folder.is_dir():
            raise DataError(f"no records in {store.folder}", "Name a results folder: one with a folder 'records'")
        entries, unreadable = store.entries(task=task, model=model, method=method, bits=bits)
        for item in unreadable:
            warnings.warn(item.reason, stacklevel=3)
        return cls(entries, registry().ablations, unreadable)

    @cached_property
    def records(self) -> pd.DataFrame:
        """A line a record: what was asked, the main metric, costs, times and where it was measured."""
        labels = RowLabels(self._ablations)
        return _frame(_RECORDS, (_record(entry, labels) for entry in self._entries))

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """A line a metric of a record."""
        return _frame(_METRICS, (
            {"identity": entry.identity, "metric": name, "value": value, "main": name == entry.main_metric}
            for entry in self._entries for name, value in entry.metrics.items()))

    @cached_property
    def sites(self) -> pd.DataFrame:
        """A line a site of a record, quantized or not, from its coverage. Reads each record's file."""
        return _frame(_SITES, (site for entry in self._entries for site in _sites(entry)))


#: Columns and their types. Costs and times follow: numbers, a column a convention or phase.
_RECORDS = {
    "identity": "str", "task": "str", "scale": "str", "model": "str", "method": "str", "label": "str",
    "ablation": "str", "bits": "str", "weight_bits": "Int64", "activation_bits": "Int64", "embedding_bits": "Int64",
    "seed": "Int64", "budget": "str", "fingerprint": "str", "weights_hash": "str", "calibration_size": "Int64",
    "evaluation_limit": "Int64", "configuration_hash": "str", "status": "str", "failure": "str", "notice": "str",
    "metric": "str", "value": "Float64", "full_precision": "Float64", "drop": "Float64", "gate": "str",
    "macs": "Int64", "parameters": "Int64", "peak_memory": "Int64", "created": "str", "harness": "str",
    "commit": "str", "torch": "str", "platform": "str", "cpu": "str", "device": "str", "threads": "Int64",
    "path": "str"}
_METRICS = {"identity": "str", "metric": "str", "value": "Float64", "main": "bool"}
_SITES = {"identity": "str", "site": "str", "state": "str", "role": "str", "block": "Int64", "quantizer": "str",
          "bits": "Float64", "lowest_bits": "Float64", "highest_bits": "Float64", "granularity": "str",
          "groups": "Int64", "dynamic": "boolean", "expansion": "Float64"}


def _frame(types: Mapping[str, str], lines: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Lines as a frame, also without any: the columns of ``types``, then further ones, sorted, of numbers."""
    import pandas as pd

    rows = list(lines)
    further = sorted({name for row in rows for name in row} - types.keys())
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=types.get(name, "Float64"))
                         for name in (*types, *further)})


def _record(entry: Entry, labels: RowLabels) -> dict[str, Any]:
    asked, environment, reference, costs = entry.asked, entry.environment, entry.reference, entry.costs
    weight, activation, *embedding = map(int, asked.bits.split("/"))
    value = entry.value if entry.status == "ok" else None
    return {
        "identity": entry.identity, "task": asked.task, "scale": asked.scale, "model": asked.model,
        "method": asked.method, "label": labels.label(entry), "ablation": labels.ablation(entry), "bits": asked.bits,
        "weight_bits": weight, "activation_bits": activation, "embedding_bits": embedding[0] if embedding else None,
        "seed": asked.seed, "budget": asked.budget, "fingerprint": asked.fingerprint,
        "weights_hash": asked.weights_hash, "calibration_size": asked.calibration_size,
        "evaluation_limit": asked.evaluation_limit, "configuration_hash": asked.configuration_hash,
        "status": entry.status, "failure": f"{entry.failure.phase}: {entry.failure.reason}" if entry.failure else "",
        "notice": entry.notice, "metric": entry.main_metric, "value": value,
        "full_precision": reference.value if reference else None,
        "drop": reference.value - value if reference and value is not None else None,
        "gate": reference.gate if reference else "",
        "macs": costs.macs if costs else None, "parameters": costs.parameters if costs else None,
        **{f"bops.{name}": number for name, number in (costs.bops if costs else {}).items()},
        **{f"size.{name}": number for name, number in (costs.sizes if costs else {}).items()},
        **{f"seconds.{phase}": seconds for phase, seconds in entry.timings.items()},
        "peak_memory": entry.peak_memory, "created": entry.created, "harness": environment.harness,
        "commit": environment.commit, "torch": environment.packages.get("torch", ""),
        "platform": environment.platform, "cpu": environment.cpu, "device": environment.device,
        "threads": environment.threads, "path": str(entry.path)}


def _sites(entry: Entry) -> Iterator[dict[str, Any]]:
    coverage = entry.record().coverage
    if not isinstance(coverage, Mapping):
        return
    for site in coverage.get("quantized", []):
        bits = site.get("bits") or None
        slots = bits if isinstance(bits, list) else [bits]
        yield {**{name: site.get(name) for name in _SITES}, "identity": entry.identity, "state": "quantized",
               **({"bits": sum(slots) / len(slots), "lowest_bits": min(slots), "highest_bits": max(slots)}
                  if bits else {})}
    for state in ("full_precision", "not_run", "outside_sites"):
        for site in coverage.get(state, []):
            yield {"identity": entry.identity, "site": site, "state": state}

"""What every task promises; subclass :class:`TaskConformance` in your package's tests."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from typing import ClassVar

import torch

from ..engine.calibration import to_device
from ..engine.finite import has_nan
from ..engine.plan import make_plan, resolve_task
from ..engine.runner import Runner
from ..engine.study import make_study
from ..engine.writes import confined
from ..errors import HarnessError
from ..registry import registry
from ..request import TaskRequest
from ..results.storage.store import Store
from ..training.views import View
from .component import ComponentLaws
from .law import law, require
from .method_run import in_an_empty_folder
from .mini_task import Built, built, count_of, equal
from .surroundings import Surroundings

_LIGHT = """
import importlib, sys
from harness import TaskRequest
module, attribute, *request = sys.argv[1:]
getattr(importlib.import_module(module), attribute)(TaskRequest(*(value or None for value in request)))
sys.exit("torch was imported" if "torch" in sys.modules else 0)
"""


class TaskConformance(ComponentLaws):
    """Checks one task on a few of its samples.

    ``task`` is its registered name; ``scale``, ``model`` and ``data`` are as in ``harness run``. ``samples``: how many
    are looked at.
    """

    kind = "task"
    task: ClassVar[str]
    scale: ClassVar[str] = "mini"
    model: ClassVar[str | None] = None
    data: ClassVar[str | None] = None
    samples: ClassVar[int] = 4

    @property
    def request(self) -> TaskRequest:
        """What is asked of the task."""
        return TaskRequest(self.name, self.scale, self.model, self.data)

    @property
    def built(self) -> Built:
        """The task; built once."""
        return built(self.request)

    @law("Import torch inside of the Task, not in the module of resolve: plans and tables use light code only")
    def test_it_resolves_without_torch(self) -> None:
        module, _, attribute = self.spec.resolve.partition(":")
        request = (self.name, self.scale, self.model or "", self.data or "")
        done = subprocess.run([sys.executable, "-c", _LIGHT, module, attribute, *request], capture_output=True,
                              env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, text=True,
                              check=False)
        require(done.returncode == 0, done.stderr.strip()[-500:])

    @law("Make fingerprint and weights_hash of the content of the files alone, and list the model in TaskSpec.models")
    def test_it_resolves_to_the_same_again(self) -> None:
        first, second = (resolve_task(registry(), self.request) for _ in range(2))
        require(first == second, "resolved twice, it differs")
        require((first.task, first.scale) == (self.name, self.scale), f"it resolves to {first.task}, {first.scale}")
        models = self.spec.models.get(self.scale, ())
        require(not models or first.model in models, f"the model {first.model!r} is not among {', '.join(models)}")

    @law("Raise harness.DataError or harness.UnknownNameError with a remedy")
    def test_a_wrong_request_is_refused_in_words(self) -> None:
        nowhere = os.path.join(tempfile.gettempdir(), "no-such-folder-anywhere")
        for request in (TaskRequest(self.name, self.scale, "no_such_model", self.data),
                        TaskRequest(self.name, "full", None, nowhere)):
            try:
                resolve_task(registry(), request)
            except HarnessError as error:
                require(bool(error.remedy), f"the refusal has no remedy: {error.message}")
                continue
            require(False, f"it accepts {request}")

    @law("Load the weights that resolve() named, into a model in evaluation mode")
    def test_its_model_is_the_same_every_time(self) -> None:
        model, again = self.built.task.model(), self.built.task.model()
        require(not any(module.training for module in model.modules()), "the model is in training mode")
        states = model.state_dict(), again.state_dict()
        require(states[0].keys() == states[1].keys(), "two models have other parameters")
        different = [name for name, value in states[0].items() if not torch.equal(value, states[1][name])]
        require(not different, f"two models differ in {', '.join(different[:3])}")

    @law("Give each sample a name of its own; draw calibration from the training split")
    def test_samples_have_names_and_the_splits_are_disjoint(self) -> None:
        pool, evaluation = list(self.built.pool.ids), list(self.built.evaluation.ids)
        for ids in (pool, evaluation):
            require(bool(ids) and all(isinstance(name, str) for name in ids), f"the names of samples are {ids[:2]}")
            require(len(set(ids)) == len(ids), f"{len(ids)} samples have {len(set(ids))} names")
        require(not (both := set(pool) & set(evaluation)), f"{min(both, default='')!r} is in both splits")

    @law("Yield each sample that was asked for once, at most size at a time, and always the same")
    def test_batches_hold_what_was_asked_for(self) -> None:
        for samples in (self.built.pool, self.built.evaluation):
            indices = range(min(3, len(samples.ids)))
            batches, again = list(samples.batches(indices, 2)), list(samples.batches(indices, 2))
            sizes = [count_of(batch.inputs) for batch in batches]
            require(sum(sizes) == len(indices) and max(sizes) <= 2, f"{len(indices)} samples, 2 at a time: {sizes}")
            require(equal([batch.inputs for batch in batches], [batch.inputs for batch in again]),
                    "asked twice, the samples differ")

    @law("Return numbers from forward() and from the scorer; the main metric first, as the TaskSpec names it")
    def test_its_metrics_are_numbers_and_the_main_one_is_first(self) -> None:
        with torch.no_grad():
            outputs = self.built.task.forward(self.built.model, self.built.batch(self.samples).inputs)
        require(not has_nan(outputs), "the outputs have NaN")
        scores = self.built.scores(self.samples, self.samples)
        require(all(map(math.isfinite, scores.metrics.values())), f"the metrics are {dict(scores.metrics)}")
        require(next(iter(scores.metrics)) == self.spec.metric, f"the metrics are {', '.join(scores.metrics)}, and the "
                                                                f"TaskSpec names {self.spec.metric}")

    @law("Keep per sample what the metric needs, and compute it in result(), not batch by batch")
    def test_its_metrics_do_not_depend_on_the_batches(self) -> None:
        together, alone = (dict(self.built.scores(self.samples, size).metrics) for size in (self.samples, 1))
        apart = {name for name, value in together.items() if abs(alone.get(name, math.inf) - value) > 1e-3}
        require(not apart, f"{', '.join(sorted(apart))} differs between batches of {self.samples} and of 1")

    @law("Contribute an adapter for its attention class that computes the same function")
    def test_its_model_is_instrumented_without_a_change(self) -> None:
        task, inputs = self.built.task, self.built.batch(self.samples).inputs
        with torch.no_grad():
            plain = task.response(self.built.model, inputs)
            apart = float(task.divergence(plain, task.response(self.built.instrumented().eval(), inputs)))
        require(apart < 1e-6, f"the instrumented model diverges by {apart:.3g}")

    @law("Return a scalar >= 0 that is 0 for equal responses")
    def test_its_divergence_is_a_distance(self) -> None:
        task, inputs = self.built.task, self.built.batch(self.samples).inputs
        with torch.no_grad():
            response = task.response(self.built.model, inputs)
            apart = task.divergence(response, response)
        require(apart.dim() == 0, f"the divergence has the shape {tuple(apart.shape)}")
        require(abs(float(apart)) < 1e-6, f"equal responses diverge by {float(apart):.3g}")
        moved = self.built.instrumented().eval()
        with torch.no_grad():
            for parameter in moved.parameters():
                parameter.mul_(1.5)
            further = float(task.divergence(response, task.response(moved, inputs)))
        require(math.isfinite(further) and further > 0, f"another model diverges by {further:.3g}")

    @law("Return a scalar loss and the response from objective(); give a view the same tensors every time")
    def test_it_can_be_trained_if_it_says_so(self) -> None:
        if not self.spec.trains:
            return
        task, samples = self.built.task, self.built.task.training()
        views = [View(0, 1), View(min(1, len(samples.ids) - 1), 2)]
        require(equal(samples.batch(views).inputs, samples.batch(views).inputs), "a view differs from itself")
        require(not set(samples.ids) & set(self.built.evaluation.ids), "it trains on samples of the evaluation split")
        model = self.built.instrumented()
        loss, _ = task.objective(model, samples.batch(views))
        require(loss.dim() == 0 and bool(loss.isfinite()), f"the loss is {loss}")
        loss.backward()
        require(any(parameter.grad is not None and bool(parameter.grad.any()) for parameter in model.parameters()),
                "no parameter gets a gradient")

    @law("See the reason; harness explain would show the same of a recorded run")
    def test_a_method_runs_on_it(self) -> None:
        """Min-max at 8 bits, in full: plan, calibration, evaluation, costs, record."""
        if "minmax" not in registry().methods:
            return
        keys = {"methods": "minmax", "task": self.name, "scale": self.scale, "calibration": 2, "limit": self.samples}
        keys |= {key: value for key, value in (("model", self.model), ("data", self.data)) if value}
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner(registry(), store := Store(folder), lambda what, total: nullcontext(lambda text="": None),
                            lambda run, phase: None)
            for finished in runner.execute(make_plan(make_study(keys), registry(), store)):
                failure = finished.record.failure if finished.record else None
                require(finished.outcome == "done", f"{finished.run.label} in {failure.phase if failure else 'plan'}: "
                                                    f"{finished.reason}")

    @law("Restore what you set, draw from generators of your own, and keep files in harness.cache_folder(NAME)")
    def test_nothing_global_is_changed_and_nothing_is_written_elsewhere(self) -> None:
        self.built.batch(1)  # what is imported and cached for the first time
        written: list[str] = []
        before = Surroundings()
        with in_an_empty_folder(written), confined(registry()):
            task = registry().component(self.spec)(self.built.task.resolved)
            model, samples, scorer = task.model().eval(), task.evaluation(), task.scorer()
            for batch in samples.batches(range(2), 2):
                with torch.no_grad():
                    scorer.update(task.forward(model, to_device(batch.inputs, torch.device("cpu"))), batch)
        changes = before.changes()
        before.restore()
        require(not changes, "; ".join(changes[:5]))
        require(not written, f"{', '.join(written[:5])} was left in the working folder")




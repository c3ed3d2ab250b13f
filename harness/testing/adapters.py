"""What every adapter of an attention class promises; subclass :class:`AdapterConformance` in your package's tests."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..cost.operations import trace
from ..errors import HarnessError
from ..model.attention import AttentionTwin
from ..registry import registry
from ..request import TaskRequest
from .component import ComponentLaws
from .law import BrokenLawError, law, require
from .mini_task import Built, built, tensors

_OPERANDS = {"query", "key", "attention", "value"}


class AdapterConformance(ComponentLaws):
    """Checks one adapter in the model of a task at mini scale that has the attention class.

    ``adapter`` is its registered name. ``task`` and ``model``: where the class is; by default all tasks are looked
    through, those of the adapter's plugin first.
    """

    kind = "adapter"
    adapter: ClassVar[str]
    task: ClassVar[str] = ""
    model: ClassVar[str | None] = None
    _host: ClassVar[Built | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._host = None

    @property
    def host(self) -> Built:
        """The task in whose model the attention class was found; looked for once."""
        cls = type(self)
        if cls._host is None:
            cls._host = next((found for found in self._tasks() if self._paths(found.model)), None)
        if cls._host is None:
            raise BrokenLawError(f"no task here has a mini model with {self.spec.attention}: name one in a subclass of "
                                 "AdapterConformance")
        return cls._host

    def _tasks(self) -> Iterator[Built]:
        known = registry().tasks
        specs = [known[self.task]] if self.task else sorted(known.values(), key=lambda s: s.plugin != self.spec.plugin)
        for spec in specs:
            for model in (self.model,) if self.model else spec.models.get("mini", ()):
                try:
                    yield built(TaskRequest(spec.name, "mini", model))
                except HarnessError:  # a library that is not installed
                    continue

    def _paths(self, model: nn.Module) -> list[str]:
        return [path for path, module in model.named_modules()
                if f"{type(module).__module__}.{type(module).__qualname__}" == self.spec.attention]

    @law("Repeat the forward of the class, with core(query, key, value, scale, bias) in the place of its products")
    def test_the_twin_answers_as_the_original(self) -> None:
        with torch.no_grad():
            plain, twin = self._answers(self.host.model), self._answers(self.host.instrumented().eval())
        apart = max(float((one - other).abs().max()) for one, other in zip(plain, twin, strict=True) if one.numel())
        require(apart < 1e-4 * (1 + max(float(each.abs().max()) for each in plain if each.numel())),
                f"the answers differ by up to {apart:.3g}")

    @law("Do not detach or copy: the twin has the original's own parameters")
    def test_the_twin_has_the_originals_gradients(self) -> None:
        plain, twin = copy.deepcopy(self.host.model), self.host.instrumented().eval()
        for model in (plain, twin):
            torch.stack([answer.float().square().mean() for answer in self._answers(model)
                         if answer.requires_grad]).sum().backward()
        ours = {name.removeprefix("model."): parameter.grad for name, parameter in twin.named_parameters()}
        for name, parameter in plain.named_parameters():
            if parameter.grad is not None and name in ours:  # a fused projection may have become several layers
                gradient = ours[name]
                require(gradient is not None, f"{name} gets no gradient")
                near = 1e-3 * float(parameter.grad.abs().max()) + 1e-6
                require(gradient is not None and float((gradient - parameter.grad).abs().max()) <= near,
                        f"the gradient of {name} is another")

    @law("Pass query, key and value through self.core: its four operands are sites")
    def test_every_product_of_the_class_has_sites(self) -> None:
        model = self.host.instrumented().eval()
        inputs = self.host.task.example(self.host.evaluation)
        operations = {operation.path for operation in trace(model, lambda m: self.host.task.forward(m, inputs))}
        for path in self._paths(self.host.model):
            sites = {site.operand: site.operation for name, site in model.sites.items()
                     if site.operand in _OPERANDS and name.rpartition(".")[0] == path}
            require(sites.keys() == _OPERANDS, f"{path} has the sites {', '.join(sorted(sites)) or 'of no product'}")
            idle = set(sites.values()) - operations
            require(not idle, f"{', '.join(sorted(idle))} is never called")

    @law("Name in projections() the linear layers that are made of heads, with the axis and the parts they have")
    def test_its_projections_are_made_of_heads(self) -> None:
        model = self.host.instrumented()
        for path in self._paths(self.host.model):
            twin: Any = model.model.get_submodule(path)
            require(isinstance(twin, AttentionTwin), f"{path} is no harness.AttentionTwin")
            for name, (side, split) in twin.projections().items():
                owner = path
                while name.startswith("../"):
                    owner, name = owner.rpartition(".")[0], name[3:]
                place = f"{owner}.{name}" if owner else name
                linear = dict(model.model.named_modules()).get(place)
                if linear is None:  # a class that has it only sometimes
                    continue
                size = linear.weight.shape[0 if side == "out" else 1]
                require(size % (split.heads * split.parts) == 0,
                        f"{place} has {size} channels, not a multiple of {split.parts} x {split.heads} heads")

    @law("Keep the original's children under their names, and its mode")
    def test_the_original_comes_back(self) -> None:
        before = copy.deepcopy(self.host.model)
        model = self.host.instrumented()
        require(not any(module.training for module in model.model.modules()), "the twin is in training mode")
        back = model.restore()
        require([type(module) for module in back.modules()] == [type(module) for module in before.modules()],
                "restored, the model has other modules")
        states = before.state_dict(), back.state_dict()
        require(states[0].keys() == states[1].keys(), "restored, the model has other parameters")
        require(all(torch.equal(value, states[1][name]) for name, value in states[0].items()),
                "restored, the model has other weights")

    def _answers(self, model: nn.Module) -> list[Tensor]:
        found = tensors(self.host.task.response(model, self.host.batch(2).inputs))
        return [tensor for tensor in found if tensor.is_floating_point()]

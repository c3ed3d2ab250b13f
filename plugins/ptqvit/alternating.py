"""The search ``alternating``: scales of both operands in turn, then the bias, until nothing is gained."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from harness import Context, Search, Spool, Uniform, finite_weight, forward_order, uniform_quantizers

from .layer import Layer
from .operand import Operand
from .options import AlternatingOptions
from .product import Product
from .ranked import Ranking
from .rounds import Extra, State, alternate


class AlternatingSearch(Search[AlternatingOptions]):
    """Minimises ``gamma * L_rank - Gamma`` (eq. 11) over a grid of scales, one operand at a time.

    Reference and candidates are compared on the same inputs, captured as ``order`` says.
    """

    @torch.no_grad()
    def run(self, context: Context) -> None:
        """Set all scales and correct all biases.

        Raises :class:`harness.QuantizationError` for quantizers without a fixed range, and for
        convolutions that have no plain matrix form.
        """
        model = context.model
        for path, _ in uniform_quantizers(model, "alternating"):
            if model.sites[path].is_weight:
                finite_weight(model, path)
        order = forward_order(model, context.calibration)
        scales = self._attention_scales(context)
        pending = [path for stage in order for path in stage]
        notes = context.notes.setdefault("alternating", {})
        with context.progress("intervals", total=len(pending)) as advance:
            for stage in self._stages(order):
                waiting = {site for path in pending for site in (s.path for s in model.sites_of(path).values())}
                with model.full_precision(waiting), model.baked():
                    spool = context.calibration.spool(model, stage)
                with spool:
                    for path in stage:
                        state = self._search(context, path, spool, scales.get(path, 1.0))
                        notes[path] = {**state.factors, "objective": state.objective, "searches": len(state.steps)}
                        advance()
                pending = [path for path in pending if path not in stage]

    def _stages(self, order: list[list[str]]) -> list[list[str]]:
        paths = list(chain.from_iterable(order))
        return {"parallel": [paths], "block": order, "sequential": [[path] for path in paths]}[self.options.order]

    def _search(self, context: Context, path: str, spool: Spool, scale: float | Tensor) -> State:
        model, options = context.model, self.options
        quantizers = {operand: model.quantizer(site.path) for operand, site in model.sites_of(path).items()}

        def inputs() -> Iterator[tuple[Tensor, ...]]:
            for chunk in spool.chunks(path):
                yield tuple(tensor.to(context.calibration.device) for tensor in chunk)

        extra: Extra | None = None
        problem: Layer | Product
        if "input" in quantizers:
            problem = Layer(model.operation(path), quantizers, inputs)
        elif "query" in quantizers:
            problem = Product(("query", "key"), quantizers, inputs, scale)
            extra = Ranking(problem, options.ranking, context.generator) if options.ranking.enabled else None
        elif "attention" in quantizers:
            problem = Product(("attention", "value"), quantizers, inputs)
        else:  # an embedding: nothing multiplies its weight
            Operand(quantizers["weight"], [model.operation(path).get_parameter("weight").detach()])
            return State({"weight": 1.0}, torch.zeros(0), 0.0, ())
        state = alternate(problem, options, extra)
        for name, operand in problem.operands.items():
            operand.set(state.factors[name])
        if options.bias_correction and isinstance(problem, Layer):
            problem.correct_bias(state.shift)
        return state

    def _attention_scales(self, context: Context) -> dict[str, float | Tensor]:
        """What each ``query @ key^T`` is multiplied with."""
        model = context.model
        scales: dict[str, Any] = {}
        paths = {s.operation for p, s in model.sites.items() if s.operand in ("query", "key")
                 and isinstance(model.quantizer(p), Uniform)}
        if paths:
            with model.full_precision():
                context.calibration.observe(model, indices=[0], operations={
                    path: lambda *inputs, path=path: scales.setdefault(path, inputs[2]) for path in paths})
        return scales

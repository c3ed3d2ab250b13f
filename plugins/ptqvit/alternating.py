"""The search ``alternating``: scales of both operands in turn, then the bias, until nothing is gained."""

from __future__ import annotations

import math
from itertools import chain

import torch

from harness import Context, Search, finite_weight, forward_order, uniform_quantizers

from .capture import Capture, leaves_rows_out
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
        pending = [path for stage in order for path in stage]
        sampled = leaves_rows_out(context, pending, self.options.rows)
        rows = math.ceil(self.options.sampled_rows / len(context.calibration)) if sampled else self.options.rows
        notes = context.notes.setdefault("alternating", {})
        with context.progress("intervals", total=len(pending)) as advance:
            for stage in self._stages(order, sampled):
                waiting = {site for path in pending for site in (s.path for s in model.sites_of(path).values())}
                with model.full_precision(waiting), model.baked():
                    capture = Capture(context, stage, rows)
                with capture:
                    for path in stage:
                        state = self._search(context, path, capture)
                        notes[path] = {**state.factors, "objective": state.objective, "searches": len(state.steps)}
                        advance()
                pending = [path for path in pending if path not in stage]

    def _stages(self, order: list[list[str]], sampled: bool) -> list[list[str]]:
        paths = list(chain.from_iterable(order))
        return {"parallel": [paths], "block": order, "sequential": [[path] for path in paths]}[
            self.options.sampled_order if sampled else self.options.order]

    def _search(self, context: Context, path: str, capture: Capture) -> State:
        model, options = context.model, self.options
        quantizers = {operand: model.quantizer(site.path) for operand, site in model.sites_of(path).items()}
        extra: Extra | None = None
        problem: Layer | Product
        if "input" in quantizers:
            problem = Layer(model.operation(path), quantizers, capture.inputs(path))
        elif "query" in quantizers:
            problem = Product(("query", "key"), quantizers, capture.inputs(path))
            extra = Ranking(problem, options.ranking, context.generator) if options.ranking.enabled else None
        elif "attention" in quantizers:
            problem = Product(("attention", "value"), quantizers, capture.inputs(path))
        else:  # an embedding: nothing multiplies its weight
            Operand.of(quantizers["weight"], model.operation(path).get_parameter("weight").detach())
            return State({"weight": 1.0}, torch.zeros(0), 0.0, ())
        state = alternate(problem, options, extra)
        for name, operand in problem.operands.items():
            operand.set(state.factors[name])
        if options.bias_correction and isinstance(problem, Layer):
            problem.correct_bias(state.shift)
        return state

"""Q-ViT's BitOPs and their penalty: the harness's own convention, the paper's table, and gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from harness import (
    Bits,
    Calibration,
    Choice,
    Context,
    InstrumentedModel,
    OptionError,
    Step,
    ensure_torchvision,
    instrument,
    trace,
)
from harness.cost.conventions import qvit as convention
from harness.engine.workspace import adapters
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import Noise, toy_context
from harness_plugins.qvit.bitops import BitOperations, bit_operations
from harness_plugins.qvit.method import QVit
from harness_plugins.qvit.options import BitOpsOptions, QVitOptions
from harness_plugins.qvit.penalty import BitOpsPenalty
from harness_plugins.qvit.quantizer import Switchable


def placed(run: str = "4/4", **options: Any) -> Context:
    context = toy_context(Bits.parse(run))
    QVit(resolve(QVitOptions, options, "qvit")).place(context)
    return context


def counted(context: Context) -> float:
    """What the harness reports for the model as it is."""
    inputs = next(iter(context.calibration.batches(1)))
    return convention(trace(context.model, lambda model: model(inputs)))


def learned(model: InstrumentedModel) -> list[Switchable]:
    return [quantizer for quantizer in model.quantizers.values() if isinstance(quantizer, Switchable)]


def scramble(model: InstrumentedModel, seed: int) -> None:
    """Bits of their own for every slot of every site."""
    generator = torch.Generator().manual_seed(seed)
    for quantizer in learned(model):
        quantizer.float_bits.data = 2 + 6 * torch.rand(quantizer.float_bits.shape, generator=generator)


@pytest.mark.parametrize("options", [{}, {"bits": {"granularity": "layer"}}, {"compat_head_axis": True},
                                     {"scope": "no_head"}, {"activations": "uniform"}])
def test_c_is_what_the_harness_counts_whatever_the_bits(options: dict[str, Any]) -> None:
    context = placed(**options)
    operations = bit_operations(context)
    for seed in range(5):
        scramble(context.model, seed)
        assert float(operations().detach()) == pytest.approx(counted(context), rel=1e-12)


def test_gradient_to_every_bit_is_the_cost_of_one_more() -> None:
    """C is linear in each bit-width on its own; rounding passes the gradient on."""
    context = placed()
    scramble(context.model, 3)
    for quantizer in learned(context.model):
        quantizer.float_bits.data.clamp_(max=7)  # there is room for one more
    operations = bit_operations(context)
    operations().backward()
    now = counted(context)
    for quantizer in learned(context.model):
        assert quantizer.float_bits.grad is not None
        for slot, slope in enumerate(quantizer.float_bits.grad.tolist()):
            with torch.no_grad():
                quantizer.float_bits[slot] += 1
                assert counted(context) - now == pytest.approx(slope, rel=1e-6)
                quantizer.float_bits[slot] -= 1


@pytest.mark.parametrize("options", [{}, {"scope": "no_head"}])
def test_the_budget_is_what_the_uniform_model_really_costs(options: dict[str, Any]) -> None:
    uniform = placed("3/5", bits={"learn": False}, **options)
    learning = placed("3/5", **options)
    scramble(learning.model, 1)
    assert bit_operations(learning).uniform(learning.bits) == pytest.approx(counted(uniform), rel=1e-12)


def test_products_of_attention_pair_heads_and_the_output_projection_does_not() -> None:
    context = placed()
    for path, bits in {"query": [2, 8], "key": [8, 2], "proj.input": [2, 8], "proj.weight": [8, 2]}.items():
        quantizer = context.model.quantizer(f"blocks.0.attn.{path}")
        assert isinstance(quantizer, Switchable)
        quantizer.float_bits.data = torch.tensor(bits, dtype=torch.float32)
    inputs = next(iter(context.calibration.batches(1)))
    traced = trace(context.model, lambda model: model(inputs))
    scores, proj = (next(op for op in traced if op.path.startswith("blocks.0.") and op.operands[0].site.endswith(name))
                    for name in ("attn.query", "attn.proj.weight"))
    assert float(BitOperations(context.model, [scores])().detach()) == scores.macs * 16  # (2 * 8 + 8 * 2) / 2
    assert float(BitOperations(context.model, [proj])().detach()) == proj.macs * 25  # 5 * 5


class Pictures(Noise):
    """One picture of 224 pixels."""

    def batches(self, indices: Any, size: int) -> Any:
        for batch in super().batches(indices, size):
            batch.inputs = torch.nn.functional.interpolate(batch.inputs, size=224)
            yield batch


@pytest.mark.parametrize(("model", "budgets", "macs"), [
    ("deit_tiny_patch16_224", {4: 21.456, 3: 12.883}, 1.2537),
    ("deit_small_patch16_224", {4: 76.38, 3: 44.59}, 4.5989),
    ("swin_tiny_patch4_window7_224", {4: 72.58, 3: 41.25}, 4.4906)])
def test_budgets_are_the_uniform_models_of_table_1(model: str, budgets: dict[int, float], macs: float) -> None:
    ensure_torchvision()
    import timm

    twin = instrument(timm.create_model(model).eval(), adapters(registry()))
    calibration = Calibration(Pictures(1), [0], lambda m, x: m(x), 1)
    for bits, budget in budgets.items():
        context = Context(twin, calibration, Bits(bits, bits), registry(), lambda a, b: a, torch.Generator(),
                          None)  # type: ignore[arg-type]
        QVit(QVitOptions()).place(context)
        operations = bit_operations(context)
        assert operations.uniform(context.bits) / 1e9 == pytest.approx(budget, abs=.006)
        assert operations.macs / 1e9 == pytest.approx(macs, abs=1e-3)
        one_more = operations.uniform(Bits(bits + 1, bits + 1))
        assert float(operations().detach()) == pytest.approx(one_more, rel=1e-12)  # what learning starts from


def step() -> Step:
    return None  # type: ignore[return-value]  # the penalty looks at the quantizers alone


def penalty(context: Context, **options: Any) -> BitOpsPenalty:
    loss = BitOpsPenalty(resolve(BitOpsOptions, options, "loss bitops"))
    loss.prepare(context)
    return loss


def value(loss: BitOpsPenalty) -> float:
    return float(loss.weight(0.0) * loss(step()).detach())


def test_eqs_13_and_14() -> None:
    context = placed()
    giga = counted(context) / 1e9
    over = penalty(context, budget=giga - 1e-5, unit=1e9)
    assert value(over) == pytest.approx(.1 * 1e-5 ** 2, rel=1e-4)
    assert value(penalty(context, budget=giga * 1.001)) == 0
    over.budget, over.unit = counted(context) - 1e9, 1e9  # the paper's example: 22.455 G of 21.455 G
    assert value(over) == pytest.approx(.1)
    assert value(penalty(context, budget=giga - 1e-5, unit=1e9, weight=1)) == pytest.approx(1e-10, rel=1e-4)


def test_small_models_are_penalised_as_if_they_were_as_large_as_the_papers_smallest() -> None:
    """The relative excess decides: the same share over the budget costs what it costs DeiT-T."""
    context = placed()
    loss = penalty(context)
    share = counted(context) / loss.budget - 1
    equivalent = loss.budget / loss.operations.macs * 1.2537
    assert value(loss) == pytest.approx(.1 * (share * equivalent) ** 2, rel=1e-5)
    assert value(loss) > .1


def test_penalty_pushes_all_bits_down_until_the_budget_is_met() -> None:
    context = placed("3/3")
    loss = penalty(context)
    parameters = [quantizer.float_bits for quantizer in learned(context.model)]
    optimizer = torch.optim.SGD(parameters, lr=.02)
    for _ in range(300):
        optimizer.zero_grad()
        term: Tensor = loss(step())
        if float(term.detach()) == 0:
            break
        term.backward()
        assert all(bool((parameter.grad > 0).all()) for parameter in parameters if parameter.grad is not None)
        optimizer.step()
    assert 0.5 * loss.budget < counted(context) <= loss.budget


def test_budgets_that_cannot_be_kept_are_refused() -> None:
    with pytest.raises(OptionError, match=r"cannot be kept: the fewest bits possible here cost"):
        penalty(placed(), budget=1e-9)
    penalty(placed("2/2", first_last="fixed"))  # just the uniform model's
    fixed = placed("4/4", bits={"learn": False})
    assert value(penalty(fixed)) == 0
    with pytest.raises(OptionError, match="cannot be kept"):
        penalty(fixed, budget=counted(fixed) / 1e9 * .99)
    richer = placed("4/4", bits={"learn": False})
    richer.bits = Bits(3, 3)
    assert value(penalty(richer)) > 0  # another method's bits: nobody asked for this budget


def test_the_loss_by_name_has_the_papers_weight() -> None:
    loss = registry().create(registry().losses, Choice(name="bitops"))
    assert loss.weight(.5) == .1

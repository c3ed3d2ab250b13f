"""Sites, quantizers and runs of Quantformer for its tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness import Choice, Context, InstrumentedModel, Layout, Site, ensure_torchvision, instrument
from harness.registry import registry
from harness.request import Bits
from harness.testing.toy import toy_context
from harness.training.snapshot import Snapshots
from harness_plugins.quantformer.groups import GroupedRange
from harness_plugins.quantformer.options import GroupsOptions


def input_site(channels: int | None, role: str = "fc1") -> Site:
    """The input of a linear layer."""
    return Site(f"blocks.0.{role}.input", f"blocks.0.{role}", "input", role, 0, Layout(("channel",), (channels,), -1))


def grouped_range(channels: int, bits: int, role: str = "fc1", **options: Any) -> GroupedRange:
    """The quantizer of such an input; role ``fc2`` means half wave."""
    return GroupedRange(GroupsOptions(**options), input_site(channels, role), bits)


def prepared(bits: str = "4/4", budget: str = "steps=20", folder: Path | None = None, **options: Any
             ) -> tuple[Any, Context]:
    """The method and a toy context, placed and calibrated. With a ``folder`` every step leaves a snapshot."""
    method = registry().create(registry().methods, Choice(name="quantformer", options=options))
    snapshots = Snapshots(folder, "test", seconds=0.0) if folder else None
    context = toy_context(Bits.parse(bits), budget=budget, method=method, snapshots=snapshots)
    method.place(context)
    method.calibrate(context)
    return method, context


def trained(bits: str = "4/4", budget: str = "steps=20", folder: Path | None = None, **options: Any) -> Context:
    """The toy context after training."""
    method, context = prepared(bits, budget, folder, **options)
    method.train(context)
    return context


def full_size(name: str) -> tuple[InstrumentedModel, Tensor]:
    """An instrumented timm model on the meta device (shapes without values), and a picture for it."""
    ensure_torchvision()
    import timm

    adapters = {spec.attention: registry().component(spec) for spec in registry().adapters.values()}
    with torch.device("meta"):
        return instrument(timm.create_model(name).eval(), adapters), torch.empty(1, 3, 224, 224)

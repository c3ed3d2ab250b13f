"""mmdet's full-size detectors with random weights: with identity quantizers nothing changes, and nothing is missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness import Identity, InstrumentedModel, Uniform, instrument, trace
from harness.model.unseen import unseen_products
from harness_tasks.detection.detectors import build
from harness_tasks.detection.multihead_attention import MultiheadAttentionTwin
from harness_tasks.detection.window_attention import WindowAttentionTwin

ADAPTERS = {"mmdet.models.backbones.swin.WindowMSA": WindowAttentionTwin,
            "torch.nn.modules.activation.MultiheadAttention": MultiheadAttentionTwin}
HEADS = {"stages.0": 3, "stages.1": 6, "stages.2": 12, "stages.3": 24}
#: Neither side of the second one is a multiple of anything: patches, windows and levels are padded.
SIZES = ((128, 160), (97, 131))


@dataclass
class Subject:
    """A detector before and after."""

    name: str
    weights: dict[str, type[nn.Module]]
    state: dict[str, Tensor]
    expected: list[list[Tensor]]
    model: InstrumentedModel


@pytest.fixture(scope="module", params=["mask-rcnn_swin-t", "cascade-mask-rcnn_swin-t", "detr_r50"])
def subject(request: pytest.FixtureRequest) -> Subject:
    original = build(request.param, classes=80)
    _spread(original)
    weights = {path: type(module) for path, module in original.named_modules()
               if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding)}
    state = {name: tensor.clone() for name, tensor in original.state_dict().items()}
    expected = [answers(original, size) for size in SIZES]
    return Subject(request.param, weights, state, expected, instrument(original, ADAPTERS))


def _spread(model: Any) -> None:
    """Random heads give all places nearly the same score: larger ones leave no order to rounding.

    Few regions and a threshold of nothing keep it cheap, with something found at every stage.
    """
    with torch.no_grad():
        for path, module in model.named_modules():
            if path.endswith(("rpn_cls", "fc_cls")):
                module.weight.mul_(30)
    if hasattr(model, "rpn_head"):
        model.rpn_head.test_cfg.update(max_per_img=12, nms_pre=40)
        model.roi_head.test_cfg.update(score_thr=0.0, max_per_img=5)


def sample(height: int, width: int) -> list[Any]:
    from mmdet.structures import DetDataSample

    size = (height, width)
    return [DetDataSample(metainfo={"img_shape": size, "ori_shape": size, "pad_shape": size,
                                    "batch_input_shape": size, "scale_factor": (1.0, 1.0)})]


def picture(height: int, width: int) -> Tensor:
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(height))


@torch.no_grad()
def answers(model: nn.Module, size: tuple[int, int]) -> list[Tensor]:
    """The features, what the heads say of them, and what is found in the end."""
    detector: Any = model.model if isinstance(model, InstrumentedModel) else model
    [found] = model(picture(*size), sample(*size), mode="predict")
    return [*tensors(detector.extract_feat(picture(*size))),
            *tensors(model(picture(*size), sample(*size), mode="tensor")),
            *(found.pred_instances[name] for name in sorted(found.pred_instances.keys()))]


def tensors(value: Any) -> Iterator[Tensor]:
    for part in value if isinstance(value, list | tuple) else [value]:
        if isinstance(part, Tensor):
            yield part
        elif isinstance(part, list | tuple):
            yield from tensors(part)


def test_nothing_changes(subject: Subject) -> None:
    for size, expected in zip(SIZES, subject.expected, strict=True):
        given = answers(subject.model, size)
        assert len(given) == len(expected) > 5
        for ours, theirs in zip(given, expected, strict=True):
            assert theirs.numel() > 0
            if theirs.is_floating_point():
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))
                assert float(theirs.std()) > 0
            else:  # classes, and masks of pixels
                assert ours.shape == theirs.shape
                assert float((ours != theirs).float().mean()) < 1e-3


def test_every_weight_has_its_sites(subject: Subject) -> None:
    model = subject.model
    opened = {f"{path.removesuffix('.out_proj')}.{layer}" for path in subject.weights
              if path.endswith(".out_proj") for layer in ("q_proj", "k_proj", "v_proj")}
    sites = {site.operation: site for site in model.sites.values() if site.is_weight}
    assert set(sites) == set(subject.weights) | opened
    for path, kind in subject.weights.items():
        layout = sites[path].layout
        assert layout.sizes == tuple(model.operation(path).weight.shape)
        assert kind is nn.Embedding or f"{path}.input" in model.sites
    assert all(kind.__module__.startswith("torch.") for kind in subject.weights.values())


def test_every_attention_product_has_its_sites(subject: Subject) -> None:
    model = subject.model
    owners = {path.removesuffix(".attention"): site.layout.heads for path, site in model.sites.items()
              if site.operand == "attention"}
    if subject.name == "detr_r50":
        expected = {f"encoder.layers.{i}.self_attn.attn": 8 for i in range(6)} | {
            f"decoder.layers.{i}.{kind}.attn": 8 for i in range(6) for kind in ("self_attn", "cross_attn")}
    else:
        expected = {f"backbone.{stage}.blocks.{i}.attn.w_msa": heads
                    for (stage, heads), depth in zip(HEADS.items(), (2, 2, 6, 2), strict=True) for i in range(depth)}
    assert owners == expected
    for path, heads in owners.items():
        for operand in ("query", "key", "attention", "value"):
            site = model.sites[f"{path}.{operand}"]
            assert (site.role, site.layout.heads) == (operand, heads)
            assert site.block is not None
        fused = [model.sites[f"{path}.{name}.weight"] for name in ("qkv", "q_proj", "k_proj", "v_proj")
                 if f"{path}.{name}.weight" in model.sites]
        assert sum(site.layout.partition("module_head").slots for site in fused) == 3 * heads


def test_roles(subject: Subject) -> None:
    roles = Counter(site.role for site in subject.model.sites.values() if site.is_weight)
    heads = {path for path, site in subject.model.sites.items() if site.role == "head" and site.is_weight}
    if subject.name == "detr_r50":
        assert roles == {"conv": 50, "downsample": 4, "query": 18, "key": 18, "value": 18, "proj": 18, "fc1": 12,
                         "fc2": 12, "linear": 2, "head": 2, "embedding": 1}
        assert heads == {"bbox_head.fc_cls.weight", "bbox_head.fc_reg.weight"}
        return
    stages = ["."] if subject.name.startswith("mask") else [".0.", ".1.", ".2."]
    # FPN: 4 + 4, RPN: 1; each stage's mask head: 4 and the upsampling, each stage's box head: 2 shared layers.
    assert roles == {"patch_embed": 1, "qkv": 12, "proj": 12, "fc1": 12, "fc2": 12, "downsample": 3,
                     "conv": 9 + 5 * len(stages), "linear": 2 * len(stages), "head": 2 + 3 * len(stages)}
    assert heads == {"rpn_head.rpn_cls.weight", "rpn_head.rpn_reg.weight"} | {
        f"roi_head.{layer[0]}{stage}{layer[1]}.weight" for stage in stages
        for layer in (("bbox_head", "fc_cls"), ("bbox_head", "fc_reg"), ("mask_head", "conv_logits"))}


def test_blocks_of_transformers_are_whole(subject: Subject) -> None:
    """Attention and perceptron of a layer are one block, and no other layer's."""
    owners: dict[int, set[str]] = {}
    for site in subject.model.sites.values():
        if site.role in ("qkv", "query", "key", "value", "attention", "proj", "fc1", "fc2"):
            assert site.block is not None
            name = site.operation.partition(".attn." if "stages" in site.operation else "_attn.")[0]
            owners.setdefault(site.block, set()).add(
                name.partition(".ffn.")[0].removesuffix(".self").removesuffix(".cross"))
    assert len(owners) == 12
    assert all(len(names) == 1 for names in owners.values())


def test_no_product_is_outside_of_the_sites(subject: Subject) -> None:
    assert unseen_products(subject.model, lambda m: m(picture(*SIZES[1]), sample(*SIZES[1]), mode="predict")) == []


def test_all_but_the_look_up_of_queries_are_called(subject: Subject) -> None:
    operations = trace(subject.model, lambda m: m(picture(*SIZES[0]), sample(*SIZES[0]), mode="predict"))
    never = set(subject.model.operations) - {operation.path for operation in operations}
    assert never == ({"query_embedding"} if subject.name == "detr_r50" else set())
    upsampling = [operation for operation in operations if operation.path.endswith("upsample")]
    # Each region found: 14 x 14 places of 256 channels, each to 2 x 2 places of 256.
    assert [one.macs for one in upsampling] == [5 * 14 * 14 * 256 * 2 * 2 * 256] * len(upsampling)


def test_a_checkpoint_by_the_original_names_loads(subject: Subject) -> None:
    model = subject.model.model
    shapes = {name: tensor.shape for name, tensor in subject.state.items()}
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == shapes
    other = {name: tensor + 1 for name, tensor in subject.state.items()}
    model.load_state_dict(other, strict=True)
    assert all(torch.equal(tensor, other[name]) for name, tensor in model.state_dict().items())
    model.load_state_dict(subject.state, strict=True)


def test_a_quantizer_in_the_backbone_changes_what_follows(subject: Subject) -> None:
    """The proof that the comparison above could fail."""
    model = subject.model
    path = next(path for path, site in reversed(model.sites.items()) if site.role == "fc2" and site.is_weight)
    coarse = Uniform(model.sites[path].layout.partition("tensor"), 2)
    coarse.set_range(torch.tensor([-.1]), torch.tensor([.1]))
    model.place(path, coarse)
    given = answers(model, SIZES[0])
    model.place(path, Identity())
    assert any(ours.shape != theirs.shape or not torch.allclose(ours, theirs, rtol=1e-3)
               for ours, theirs in zip(given, subject.expected[0], strict=True))


def test_restored_it_is_what_it_was(subject: Subject) -> None:
    """The last of the tests: it takes the instrumented model apart."""
    restored = subject.model.restore()
    assert {path: type(restored.get_submodule(path)) for path in subject.weights} == subject.weights
    assert not [path for path, module in restored.named_modules() if type(module).__name__.startswith("Quantizable")]
    assert list(restored.state_dict()) == list(subject.state)
    assert all(torch.equal(tensor, subject.state[name]) for name, tensor in restored.state_dict().items())
    for given, expected in zip(answers(restored, SIZES[0]), subject.expected[0], strict=True):
        assert torch.equal(given, expected)

"""The models' configurations: mmdet's own shipped ones, by path, and small versions of them for the mini scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config

_MASK_RCNN = "swin/mask-rcnn_swin-{}-p4-w7_fpn_{}ms-crop-3x_coco.py"
_CASCADE = "cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py"
_DETR = "detr/detr_r50_8xb2-150e_coco.py"

PICTURE = 128
"""Side of the mini scale's scenes, in pixels."""


def configuration(model: str, classes: int) -> Config:
    """mmdet's configuration of ``model`` (a name of ``known_models`` or ``mini_models``) for ``classes`` classes.

    Nothing in it asks for a download: the weights that initialise a backbone before training are left out. Annotations
    are loaded before the picture is resized, and so resized with it; mmdet tests with those of the original picture.
    """
    config = _BUILDERS[model]()
    for part in _parts(config.model):
        if "num_classes" in part:
            part["num_classes"] = classes
        if part.get("init_cfg") and "Pretrained" in str(part["init_cfg"]):
            part["init_cfg"] = None
        if "frozen_stages" in part:  # mmdet would freeze all that lies in these stages, quantizers too
            part["frozen_stages"] = -1
    config.test_pipeline = sorted(config.test_pipeline, key=lambda step: not step["type"].startswith("Load"))
    return config


def _mask_rcnn(size: str) -> Config:
    return _shipped(_MASK_RCNN.format(size, "amp-" if size == "s" else ""))


def _cascade(size: str) -> Config:
    # mmdet ships no Cascade Mask R-CNN on Swin: its ResNet one with the backbone of its Mask R-CNN on Swin.
    config, swin = _shipped(_CASCADE), _mask_rcnn(size)
    config.model.backbone = swin.model.backbone
    config.model.neck.in_channels = swin.model.neck.in_channels
    return config


def _detr() -> Config:
    return _shipped(_DETR)


def _shipped(path: str) -> Config:
    (package,) = find_spec("mmdet").submodule_search_locations  # type: ignore[union-attr, misc]
    return Config.fromfile(str(Path(package) / ".mim" / "configs" / path))


def _small(config: Config, changes: Mapping[str, Any]) -> Config:
    """``config`` with ``changes`` (dotted keys), on scenes of the mini scale."""
    config.merge_from_dict(dict(changes), allow_list_keys=True)
    config.test_pipeline = [{"type": "LoadImageFromFile"},
                            {"type": "Resize", "scale": (PICTURE, PICTURE), "keep_ratio": True},
                            {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True},
                            {"type": "PackDetInputs",
                             "meta_keys": ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")}]
    return config


_SMALL_BACKBONE: Mapping[str, Any] = {
    "model.backbone.embed_dims": 48, "model.backbone.depths": [2, 2, 2, 2], "model.backbone.num_heads": [2, 4, 8, 8],
    "model.backbone.window_size": 4, "model.backbone.drop_path_rate": 0.0,
    "model.neck.in_channels": [48, 96, 192, 384], "model.neck.out_channels": 64, "model.neck.num_outs": 4,
    "model.rpn_head.in_channels": 64, "model.rpn_head.feat_channels": 64,
    # Anchors of 16 to 128 pixels: digits are 14 to 44 high.
    "model.rpn_head.anchor_generator.scales": [4], "model.rpn_head.anchor_generator.strides": [4, 8, 16, 32],
    "model.roi_head.bbox_roi_extractor.out_channels": 64, "model.roi_head.mask_roi_extractor.out_channels": 64,
    "model.roi_head.bbox_roi_extractor.finest_scale": 14, "model.roi_head.mask_roi_extractor.finest_scale": 14,
    "model.roi_head.mask_head.num_convs": 2, "model.roi_head.mask_head.in_channels": 64,
    "model.roi_head.mask_head.conv_out_channels": 64,
    "model.train_cfg.rpn_proposal.nms_pre": 200, "model.train_cfg.rpn_proposal.max_per_img": 100,
    "model.test_cfg.rpn.nms_pre": 200, "model.test_cfg.rpn.max_per_img": 64, "model.test_cfg.rcnn.max_per_img": 20}


def _mask_rcnn_mini() -> Config:
    return _small(_mask_rcnn("t"), {
        **_SMALL_BACKBONE, "model.train_cfg.rcnn.sampler.num": 64,
        "model.roi_head.bbox_head.in_channels": 64, "model.roi_head.bbox_head.fc_out_channels": 192})


def _cascade_mini() -> Config:
    stages = {f"model.{key.format(stage)}": value for stage in range(3) for key, value in (
        ("roi_head.bbox_head.{}.in_channels", 64), ("roi_head.bbox_head.{}.fc_out_channels", 128),
        ("train_cfg.rcnn.{}.sampler.num", 64))}
    return _small(_cascade("t"), {**_SMALL_BACKBONE, **stages})


def _detr_mini() -> Config:
    attention = {f"model.{part}.layer_cfg.{kind}.{key}": value
                 for part, kinds in (("encoder", ("self_attn_cfg",)), ("decoder", ("self_attn_cfg", "cross_attn_cfg")))
                 for kind in kinds for key, value in (("embed_dims", 96), ("num_heads", 4), ("dropout", 0.0))}
    feed_forward = {f"model.{part}.layer_cfg.ffn_cfg.{key}": value for part in ("encoder", "decoder")
                    for key, value in (("embed_dims", 96), ("feedforward_channels", 256), ("ffn_drop", 0.0))}
    return _small(_detr(), {
        **attention, **feed_forward, "model.num_queries": 16, "model.test_cfg.max_per_img": 16,
        "model.backbone.depth": 18, "model.backbone.base_channels": 32,
        "model.backbone.num_stages": 3, "model.backbone.strides": (1, 2, 2), "model.backbone.dilations": (1, 1, 1),
        "model.backbone.out_indices": (2,), "model.backbone.norm_cfg.requires_grad": True,
        "model.backbone.norm_eval": False, "model.neck.in_channels": [128], "model.neck.out_channels": 96,
        "model.encoder.num_layers": 3, "model.decoder.num_layers": 3, "model.positional_encoding.num_feats": 48,
        "model.bbox_head.embed_dims": 96})


def _parts(part: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary inside a configuration."""
    if isinstance(part, dict):
        yield part
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else ():
        yield from _parts(child)


_BUILDERS: Mapping[str, Callable[[], Config]] = {
    "mask-rcnn_swin-t": lambda: _mask_rcnn("t"), "mask-rcnn_swin-s": lambda: _mask_rcnn("s"),
    "cascade-mask-rcnn_swin-t": lambda: _cascade("t"), "cascade-mask-rcnn_swin-s": lambda: _cascade("s"),
    "detr_r50": _detr,
    "mask_rcnn_mini": _mask_rcnn_mini, "cascade_mask_rcnn_mini": _cascade_mini, "detr_mini": _detr_mini}

"""mmcv's layers as the plain torch layers that they are."""

from __future__ import annotations

from torch import nn

_WRAPPERS = "mmcv.cnn.bricks.wrappers"
_PLAIN: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def plain_layers(model: nn.Module) -> nn.Module:
    """Give each of mmcv's wrappers around a torch layer the class of that layer, in place.

    mmcv overrides ``forward`` for empty tensors in torch before 1.5; with any later one the wrappers compute
    what the plain layers do. Searches that write a layer as a product of matrices can use the plain ones.
    """
    for module in model.modules():
        if type(module).__module__ == _WRAPPERS:
            module.__class__ = next((kind for kind in _PLAIN if isinstance(module, kind)), type(module))
    return model

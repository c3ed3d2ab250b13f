"""What mmdet's own code warns of is not ours to mend."""

from __future__ import annotations

import pytest

_NOT_OURS = (
    # mmcv's layers rename their arguments, and mmdet's configurations use the old names.
    "ignore:.* is deprecated in `.*`, please use:DeprecationWarning:mmengine",
    "ignore:The arguments `dropout` in MultiheadAttention has been deprecated:DeprecationWarning:mmcv",
    "ignore:The 'warn' method is deprecated:DeprecationWarning:mmdet",
    "ignore:To copy construct from a tensor:UserWarning:mmdet",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "detection":
            for each in _NOT_OURS:
                item.add_marker(pytest.mark.filterwarnings(each))

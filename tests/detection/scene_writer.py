"""Writes a small folder of scenes in a process of its own: ``scene_writer.py [die] TRAIN VAL``; prints where it is."""

from __future__ import annotations

import os
import sys
from typing import Any

from harness_tasks.detection import scene_folder

if __name__ == "__main__":
    *how, train, val = sys.argv[1:]
    scene_folder.COUNTS.update(train=int(train), val=int(val))
    if how == ["die"]:
        generate, drawn = scene_folder.generate, []

        def dying(*arguments: Any) -> Any:
            drawn.append(arguments)
            if len(drawn) == 2:  # the pictures of the train split are written, those of val are not
                os._exit(9)
            return generate(*arguments)

        scene_folder.generate = dying
    print(scene_folder.scene_folder())

"""``python -m harness``: the command, for launchers that want a module (``torchrun -m harness run ...``)."""

from .cli import main

if __name__ == "__main__":
    main()

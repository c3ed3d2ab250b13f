"""What a stranger needs to know of the machine and its software to repeat a run."""

from __future__ import annotations

import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath

from ..results.record import Environment

PACKAGES = ("torch", "torchvision", "timm", "numpy", "scipy", "safetensors", "pillow", "pydantic", "pluggy")


def environment(distributions: Iterable[str] = (), device: str = "cpu") -> Environment:
    """Versions, hardware and command line."""
    import torch

    from .. import __version__

    names = (*PACKAGES, *sorted(set(distributions)))
    return Environment(
        harness=__version__,
        python=platform.python_version(),
        packages={name: found for name in names if (found := _version(name))},
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_processor(),
        isa=(torch.backends.cpu.get_cpu_capability(),),
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        command=("harness", *map(without_folder, sys.argv[1:])),
        commit=_commit(),
    )


def without_folder(argument: str) -> str:
    """An absolute path, alone or as ``--option=PATH``, as ``.../NAME``: records are published, folders are private."""
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    return f"{option}{equals}.../{PurePath(value).name}" if PurePath(value).is_absolute() else argument


def peak_memory() -> int:
    """The most memory that this process has held so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    """The commit of the source tree that the package runs from; empty for an installed wheel."""
    root = Path(__file__).resolve().parents[2]
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return ""
    result = subprocess.run([git, "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
                            capture_output=True, text=True, check=False)
    return result.stdout.strip()

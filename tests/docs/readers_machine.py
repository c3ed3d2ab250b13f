"""A reader's machine: a folder, a Python environment of its own, and records to look at."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from pathlib import Path


class Machine:
    """Commands are run in ``folder``, in an environment that sees ours and that packages can be installed into."""

    def __init__(self, folder: Path, environment: Path) -> None:
        self.folder, self.environment, self.here = folder, environment, folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def has_packages(self) -> bool:
        """Whether the page has installed something."""
        return self.environment.exists()

    def write(self, name: str, text: str) -> None:
        """A file of the page."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def enter(self, folder: str) -> None:
        """``cd``."""
        self.here = self.here / folder
        assert self.here.is_dir(), f"cd {folder}: no such folder"

    def python(self, *arguments: str) -> str:
        """``python ARGUMENTS``; what it printed. Fails with its output."""
        interpreter = self.environment / "bin" / "python" if self.has_packages else sys.executable
        done = subprocess.run([str(interpreter), *arguments], cwd=self.here, env=_variables(), capture_output=True,
                              text=True, timeout=400, check=False)
        output = done.stdout + done.stderr
        assert done.returncode == 0, f"{' '.join(arguments)} ended with {done.returncode}\n{output}"
        return output

    def install(self, *arguments: str) -> None:
        """``pip install`` of a package that the page has written, without a network."""
        if not self.has_packages:
            make_environment(self.environment)
        self.python("-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", *arguments)


def make_environment(folder: Path) -> None:
    """An environment without pip of its own, which sees everything that this one has."""
    venv.create(folder, with_pip=False, symlinks=True)
    (where,) = folder.glob("lib/python*/site-packages")
    ours = [path for path in site.getsitepackages() if Path(path).is_dir()]
    # Added as site folders, not as paths: an editable installation of the harness is a .pth file in one of them.
    lines = [f"import site; site.addsitedir({path!r})\n" for path in ours]
    (where / "ours.pth").write_text("".join(lines), encoding="utf-8")


def _variables() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("HARNESS_", "PYTHONPATH"))}
    return {**ours, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "160", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "HF_HUB_OFFLINE": "1"}

"""A new environment, with what is installed beside the tests, to install packages into as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

_QUICK = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")


class FreshEnvironment:
    """A virtual environment in ``folder``; nothing is downloaded.

    Libraries are those of the environment that the tests run in. ``with_harness``: also the harness, where that is
    installed from the checkout; without it, only what is installed here can be imported.
    """

    def __init__(self, folder: Path, *, with_harness: bool) -> None:
        self.folder = folder
        venv.create(folder, symlinks=True)
        self.python = folder / "bin" / "python"
        paths = dict.fromkeys(sysconfig.get_paths()[which] for which in ("purelib", "platlib"))
        # addsitedir follows the links that an editable installation leaves; a plain line does not.
        lines = [f"import site; site.addsitedir({path!r})" if with_harness else path for path in paths]
        (self._site_packages() / "beside.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _site_packages(self) -> Path:
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def install(self, what: Path) -> None:
        """``pip install``, of a folder or a wheel."""
        self.call("-m", "pip", "install", *_QUICK, "--ignore-installed", str(what), cwd=what.parent)

    def call(self, *arguments: str, cwd: Path, code: int = 0, **extra: str) -> str:
        """What ``python ARGUMENTS`` prints; its exit code must be ``code``. ``extra``: environment variables."""
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("HARNESS_", "PYTHON", "COV_", "PYTEST_"))}
        environment |= {"OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                        "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(self.folder / "cache"), **extra}
        done = subprocess.run([str(self.python), *arguments], cwd=cwd, env=environment, capture_output=True, text=True,
                              timeout=300, check=False)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def harness(self, *arguments: str, cwd: Path, code: int = 0, **extra: str) -> str:
        """What ``harness ARGUMENTS`` prints."""
        return self.call("-m", "harness", *arguments, cwd=cwd, code=code, **extra)


def built_wheel(source: Path, folder: Path) -> Path:
    """The wheel of a source tree, built with what is installed here."""
    subprocess.run([sys.executable, "-m", "pip", "wheel", *_QUICK, "--wheel-dir", str(folder), str(source)],
                   check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel

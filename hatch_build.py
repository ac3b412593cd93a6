"""The wheel's build hook: bring the pages' third-party files into the package."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = "src/ibfloor/gui/vendor"


class PagesHook(BuildHookInterface):  # type: ignore[type-arg]
    """Copy pinned files from node_modules, fetching them with npm when they are not there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill the vendor folder; an editable install without npm goes on without it."""
        root = Path(self.root)
        build_data["artifacts"].append(f"{VENDOR}/*")
        vendored = (root / VENDOR / "preact.mjs").is_file()
        if not (root / "node_modules").is_dir():
            if vendored and not (root / ".git").exists():
                return None  # built from a source distribution, which carries the files
            npm = shutil.which("npm")
            if npm is None:
                return self._without_npm(version, vendored)
            subprocess.run([npm, "ci"], cwd=root, check=True)  # noqa: S603
        runpy.run_path(str(root / "scripts" / "vendor.py"))["copy_vendor"](root)
        return None

    def _without_npm(self, version: str, vendored: bool) -> None:
        if vendored:
            return
        text = "the pages need npm once: install it, run `npm ci`, then `python scripts/vendor.py`"
        if version != "editable":
            raise RuntimeError(text)
        self.app.display_warning(text)

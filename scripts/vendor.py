"""Copy the pages' pinned third-party files from node_modules into the package. Needs the standard library alone."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "src" / "ibfloor" / "gui" / "vendor"

FILES = {
    "preact/dist/preact.mjs": "preact.mjs",
    "preact/hooks/dist/hooks.mjs": "hooks.mjs",
    "htm/dist/htm.module.js": "htm.mjs",
    "lightweight-charts/dist/lightweight-charts.standalone.production.mjs": "lightweight-charts.mjs",
    "uplot/dist/uPlot.iife.min.js": "uplot.mjs",
    "uplot/dist/uPlot.min.css": "uplot.css",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter.woff2",
    "@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2": "jetbrains-mono.woff2",
}


def copy_vendor(root: Path = ROOT) -> list[Path]:
    """Copy the files and their licences; raise ``FileNotFoundError`` that says how to get them."""
    modules = root / "node_modules"
    target = root / VENDOR.relative_to(ROOT)
    _check(root, modules)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for source, name in FILES.items():
        content = (modules / source).read_bytes()
        (target / name).write_bytes(_adapted(name, content))
    for package in sorted({_package_of(source) for source in FILES}):
        licence = modules / package / "LICENSE"
        shutil.copyfile(licence, target / f"LICENSE.{package.strip('@').replace('/', '-')}.txt")
    return sorted(target.iterdir())


def _check(root: Path, modules: Path) -> None:
    lock = json.loads((root / "package-lock.json").read_text())["packages"]
    for package in sorted({_package_of(source) for source in FILES}):
        manifest = modules / package / "package.json"
        wanted = lock[f"node_modules/{package}"]["version"]
        found = json.loads(manifest.read_text())["version"] if manifest.is_file() else "nothing"
        if found != wanted:
            raise FileNotFoundError(f"node_modules holds {found} of {package}, not {wanted}: run `npm ci` first")


def _package_of(source: str) -> str:
    parts = source.split("/")
    return "/".join(parts[:2]) if source.startswith("@") else parts[0]


def _adapted(name: str, content: bytes) -> bytes:
    if name == "hooks.mjs":  # browsers resolve no bare names, and a strict CSP allows no import map
        content = content.replace(b'from"preact"', b'from"./preact.mjs"')
    if name == "uplot.mjs":  # uPlot's one minified build is a plain script
        content += b"\nexport default uPlot;\n"
    lines = content.splitlines(keepends=True) if name.endswith(".mjs") else [content]
    return b"".join(line for line in lines if not line.startswith(b"//# sourceMappingURL="))


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{len(copy_vendor())} files in {VENDOR.relative_to(ROOT)}\n")
    except FileNotFoundError as error:
        sys.exit(f"the pages' libraries are missing: {error}")

"""`mobisdk doctor`: what this machine can do, and the command that mends what it cannot."""

import dataclasses
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from mobisdk.cli.console import Json, print_json, stdout

_ITSELF = "mobisdk itself"
_LEAST_FREE_BYTES = 500 * 10**6


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `needed` is what stops working without it; empty where nothing does."""

    area: str
    name: str
    ok: bool
    found: str
    needed: str
    fix: str = ""


def doctor(json: Json = False) -> None:
    """Say what this machine can do.

    And what is missing, and the command that mends it.
    """
    findings = [*_check_python(), *_check_packages(), *_check_phones(), *_check_machine()]
    broken = [finding for finding in findings if not finding.ok and finding.area != "phones"]
    if json:
        print_json({"ok": not broken, "findings": [_as_json(finding) for finding in findings]})
    else:
        _print(findings, broken)
    if broken:
        raise typer.Exit(1)


def _check_python() -> Iterator[Finding]:
    version = platform.python_version()
    yield Finding(
        "python",
        "Python",
        (3, 11) <= sys.version_info[:2] <= (3, 13),
        version,
        "everything",
        "Install Python 3.11, 3.12 or 3.13 and make a new virtual environment with it",
    )


def _check_packages() -> Iterator[Finding]:
    """Compare what is installed with what this version of mobisdk declares; nothing of it is imported."""
    import importlib.metadata  # slow to import itself

    uses = {
        "torch": "train, export, verify",
        "executorch": "export --target android, bench",
        "coremltools": "export --target ios, verify",
        "torchao": "quantized recipes",
        "lightning": "train",
        "altair": "analyze --html",
    }
    wanted = dict(
        _parse_requirement(line) for line in importlib.metadata.requires("mobisdk") or () if "extra" not in line
    )
    for name, specifier in sorted(wanted.items(), key=lambda item: (item[0] not in uses, item[0])):
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "missing"
        exact = specifier.removeprefix("==") if specifier.startswith("==") else None
        fits = found != "missing" and (exact is None or found.split("+")[0] == exact)
        yield Finding("packages", name, fits, found, uses.get(name, _ITSELF), f"pip install '{name}{specifier}'")


def _check_phones() -> Iterator[Finding]:
    adb = shutil.which("adb")
    yield Finding(
        "phones",
        "adb",
        adb is not None,
        adb or "missing",
        "copying bundles to an Android phone by cable",
        "apt install adb, or Android Studio's platform-tools",
    )
    xcrun = shutil.which("xcrun")
    yield Finding(
        "phones",
        "Xcode",
        xcrun is not None,
        xcrun or ("missing" if sys.platform == "darwin" else f"not on {platform.system()}"),
        "building the iOS app, running Core ML itself; exporting and verifying need neither",
        "On a Mac: xcode-select --install",
    )


def _check_machine() -> Iterator[Finding]:
    from mobisdk.training.processes import count_cores

    free = shutil.disk_usage(Path.cwd()).free
    yield Finding(
        "machine",
        "free disk",
        free > _LEAST_FREE_BYTES,
        f"{free / 1e9:.1f} GB",
        "bundles and runs",
        "Free some space here",
    )
    yield Finding("machine", "cores", True, str(count_cores()), "bench takes as many threads")


def _parse_requirement(line: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z0-9._-]+)\s*([^;]*)", line)
    return (match[1], match[2].strip()) if match else (line, "")


def _as_json(finding: Finding) -> dict[str, Any]:
    values = dataclasses.asdict(finding)
    return values if not finding.ok else {**values, "fix": ""}


def _print(findings: list[Finding], broken: list[Finding]) -> None:
    quiet = [finding for finding in findings if finding.ok and finding.needed == _ITSELF]
    for finding in findings:
        if finding in quiet:
            continue
        mark = "ok" if finding.ok else "–" if finding.area == "phones" else "NO"
        line = f"{mark:3} {finding.name} {finding.found}: {finding.needed}"
        stdout().print(line if finding.ok else f"{line}. To mend it: {finding.fix}", markup=False, soft_wrap=True)
    stdout().print(f"ok  {len(quiet)} more packages", markup=False)
    if broken:
        stdout().print(f"\nMend first: {broken[0].fix}", markup=False, soft_wrap=True)
    else:
        stdout().print("\nEverything that mobisdk needs is here. Next: mobisdk quickstart", markup=False)

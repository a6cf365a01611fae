"""`mobisdk verify`: what a bundle can prove by itself: hashes, golden, delegation."""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.bundles import open_bundle
from mobisdk.cli.console import Json, print_json, progress, say, stdout
from mobisdk.errors import ConfigError, MobiError, UnsupportedError

if TYPE_CHECKING:
    from mobisdk.bundle import Bundle
    from mobisdk.devices.classifier import Classifier

LEAST_DELEGATED = 0.99
_LARGEST_PIXEL_ERROR = 1
_MARKS = {True: "ok  ", False: "FAIL", None: "  - "}


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that was looked at, in words; `ok` is None where this computer cannot tell."""

    name: str
    ok: bool | None
    found: str
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What was measured, where that is more than the sentence."""


def verify(
    bundles: Annotated[list[Path], typer.Argument(help="Bundles: folders, or the same zipped.", show_default=False)],
    images: Annotated[
        str | None,
        typer.Option(help="Compare with the network on these images: digits, a folder of class folders, or Parquet."),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="The network's weights.  [default: the run that the bundle names]")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="At most so many of the held-out images, each class keeping its share.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder where `mobisdk train` left its runs.")] = Path("runs"),
    json: Json = False,
) -> None:
    """Check bundles by running them.

    Hashes, preprocessing, the golden photograph, delegation; with --images, agreement with the network and SQNR.
    Exit status 1 where one fails.
    """
    if checkpoint is not None and images is None:
        raise ConfigError("--checkpoint compares on images, and none are named", hint="Add --images DATA")
    reports = {}
    with progress() as bar:
        task = bar.add_task("Verifying", total=len(bundles))
        for path in bundles:
            bar.update(task, description=f"Verifying {path.name}")
            checks = list(verify_bundle(path))
            if images is not None and all(check.ok is not False for check in checks):
                checks.append(_check_against_network(path, images, checkpoint, limit, runs))
            reports[str(path)] = checks
            bar.advance(task)
    passed = {path: all(check.ok is not False for check in checks) for path, checks in reports.items()}
    ok = all(passed.values())
    if json:
        documents = [
            {"path": path, "ok": passed[path], "checks": [dataclasses.asdict(check) for check in checks]}
            for path, checks in reports.items()
        ]
        print_json({"ok": ok, "bundles": documents})
    else:
        for name, checks in reports.items():
            stdout().print(name, style="bold", markup=False, soft_wrap=True)
            for check in checks:
                stdout().print(f"  {_MARKS[check.ok]} {check.name}: {check.found}", markup=False, soft_wrap=True)
    if not ok:
        say("A bundle failed; do not ship it. Export it again, or copy it again from where it was whole.")
        raise typer.Exit(1)


def verify_bundle(path: Path) -> Iterator[Check]:
    """Check a bundle; the first thing that cannot be checked ends it."""
    from mobiconvert.classifiers import load_classifier, load_coreml_classifier

    try:
        with open_bundle(path) as bundle:
            files = bundle.manifest["files"]
            size = sum(entry["size_bytes"] for entry in files.values())
            yield Check("hashes", True, f"{len(files)} files, {size / 1e6:.2f} MB, every byte as exported")
            yield _check_preprocessing(bundle)
            yield _check_golden("golden", bundle, load_classifier)
            if sys.platform == "darwin" and bundle.target.runtime == "coreml":
                yield _check_golden("golden under Core ML itself", bundle, load_coreml_classifier)
            yield _report_delegation(bundle)
    except MobiError as error:
        yield Check("bundle", False, str(error))


def _check_preprocessing(bundle: "Bundle") -> Check:
    """The golden photograph, preprocessed here, against the bytes that the phone will compare with."""
    import numpy as np

    from mobisdk.preprocess import load_image, preprocess

    here = preprocess(load_image(bundle.path / bundle.manifest["golden"]["image"]), bundle.input)
    error = int(np.abs(here.astype(int) - bundle.golden_input()).max())
    found = f"the golden photograph's pixels differ by at most {error} of 255"
    return Check("preprocessing", error <= _LARGEST_PIXEL_ERROR, found)


def _check_golden(name: str, bundle: "Bundle", load: "Callable[[Bundle], Classifier]") -> Check:
    from mobisdk.devices.golden import check_golden

    try:
        classifier = load(bundle)
    except UnsupportedError as refusal:
        return Check(name, None, str(refusal))
    classifier.load()
    try:
        golden = check_golden(bundle, classifier.forward(classifier.prepare(bundle.golden_input())))
    finally:
        classifier.close()
    error = "not a number" if golden.max_abs_error is None else f"{golden.max_abs_error:.2g}"
    top1 = "same" if golden.top1_matches else "another"
    tolerance = bundle.manifest["golden"]["tolerance"]
    return Check(name, golden.passed, f"logits within {error} of float64 (tolerance {tolerance:g}), {top1} top-1 class")


def _check_against_network(path: Path, images: str, checkpoint: Path | None, limit: int | None, runs: Path) -> Check:
    """The artefact against the network it was made from, on a person's own images."""
    from mobisdk.cli.against_network import compare_with_network, open_network

    with open_bundle(path) as bundle:
        try:
            found = compare_with_network(bundle, open_network(bundle, checkpoint, runs), images, limit)
        except UnsupportedError as refusal:
            return Check("network", None, str(refusal))
    right = ""
    if found.network_top1 is not None:
        right = f"; {found.artefact_top1:.2%} right, the network {found.network_top1:.2%}"
    return Check(
        "network",
        found.ok,
        f"on {found.images} held-out images of {found.data} top-1 agrees for {found.top1_agreement:.2%}, SQNR "
        f"{found.sqnr_db:.1f} dB, largest error {found.max_abs_error:.2g} ({found.relative_error:.2g} of the largest "
        f"logit){right}. Bound: {found.bound}",
        dataclasses.asdict(found),
    )


def _report_delegation(bundle: "Bundle") -> Check:
    """A network that runs outside its backend is slow, not wrong: this warns and does not fail."""
    delegation, target = bundle.manifest["delegation"], bundle.target
    share = bundle.delegated_share
    found = f"{target.backend} takes {share:.1%} of the multiply-adds"
    if target.runtime == "coreml":
        found += ", and chooses CPU, GPU or Neural Engine on the phone"
    if delegation["fallback"]:
        slow = ", ".join(f"{entry['count']} × {entry['op']}" for entry in delegation["fallback"])
        found += f"; left to slow kernels: {slow}"
    if share < LEAST_DELEGATED:
        say(f"Warning: {bundle.name} delegates only {share:.1%}; it will be slower than it could be.")
    return Check("delegation", True, found)

"""`mobisdk verify`: what a bundle or a Core ML package can prove, by itself and against its network."""

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.bundles import open_bundle
from mobisdk.cli.checks import Check, print_checks
from mobisdk.cli.console import Json, print_json, progress, say
from mobisdk.errors import ConfigError, MobiError, UnsupportedError

if TYPE_CHECKING:
    from mobisdk.bundle import Bundle
    from mobisdk.cli.networks import Network
    from mobisdk.devices.classifier import Classifier

LEAST_DELEGATED = 0.99
_LARGEST_PIXEL_ERROR = 1


@dataclasses.dataclass(frozen=True)
class _Comparing:
    """What is compared with the network, beyond what a bundle proves by itself."""

    images: str | None
    checkpoint: Path | None
    limit: int | None
    runs: Path
    layers: bool


def verify(
    bundles: Annotated[
        list[Path],
        typer.Argument(help="Bundles, as folders or zipped, or .mlpackage folders of any tool.", show_default=False),
    ],
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
    layers: Annotated[
        bool, typer.Option("--layers", help="Compare each layer with the network's, on photographs or --images.")
    ] = False,
    chart: Annotated[
        Path | None, typer.Option(help="Draw what --layers finds of one bundle: .png, .svg or .html.", metavar="FILE")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder where `mobisdk train` left its runs.")] = Path("runs"),
    json: Json = False,
) -> None:
    """Check bundles and Core ML packages.

    By running them: hashes, preprocessing, the golden photograph, delegation; with --images, agreement with the
    network and SQNR; of an .mlpackage its operations, weights and what it makes of photographs. Exit status 1 where
    one fails.
    """
    from mobisdk.cli.verify_package import is_package, verify_package

    if checkpoint is not None and images is None and not layers:
        raise ConfigError("--checkpoint compares on images, and none are named", hint="Add --images DATA or --layers")
    _check_chart(chart, layers, len(bundles))
    options = _Comparing(images, checkpoint, limit, runs, layers)
    reports = {}
    with progress() as bar:
        task = bar.add_task("Verifying", total=len(bundles))
        for path in bundles:
            bar.update(task, description=f"Verifying {path.name}")
            reports[str(path)] = list(verify_package(path) if is_package(path) else _verify_bundle(path, options))
            bar.advance(task)
    if chart is not None:
        _draw(next(iter(reports.values())), chart)
    passed = {path: all(check.ok is not False for check in checks) for path, checks in reports.items()}
    ok = all(passed.values())
    if json:
        documents = [
            {"path": path, "ok": passed[path], "checks": [check.to_document() for check in checks]}
            for path, checks in reports.items()
        ]
        print_json({"ok": ok, "bundles": documents})
    else:
        for name, checks in reports.items():
            print_checks(name, checks)
    if not ok:
        say("A bundle failed; do not ship it. Export it again, or copy it again from where it was whole.")
        raise typer.Exit(1)


def _verify_bundle(path: Path, options: _Comparing) -> Iterator[Check]:
    """What a bundle proves by itself; where all of that holds, what it shares with its network."""
    checks = []
    for check in verify_bundle(path):
        checks.append(check)
        yield check
    if (options.images is None and not options.layers) or any(check.ok is False for check in checks):
        return
    with open_bundle(path) as bundle:
        yield from _compare(bundle, options)


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
            if _has_core_ml(bundle):
                yield _check_golden("golden under Core ML itself", bundle, load_coreml_classifier)
            yield _report_delegation(bundle)
            if "weights" in bundle.manifest["target"]:
                yield _report_weights(bundle.manifest["target"]["weights"])
            if bundle.target.runtime == "coreml":
                yield _report_neural_engine(bundle)
    except MobiError as error:
        yield Check("bundle", False, str(error))


def _has_core_ml(bundle: "Bundle") -> bool:
    """Whether Core ML itself can be asked too."""
    return sys.platform == "darwin" and bundle.target.runtime == "coreml"


def _compare(bundle: "Bundle", options: _Comparing) -> Iterator[Check]:
    """Compare with the network, or say why nobody here can."""
    from mobiconvert.classifiers import load_classifier, load_coreml_classifier
    from mobisdk.cli.against_network import open_network
    from mobisdk.cli.layers import check_layers

    try:
        network = open_network(bundle, options.checkpoint, options.runs)
    except UnsupportedError as refusal:
        yield Check("network", None, str(refusal))
        return
    if options.images is not None:
        compare = functools.partial(_check_against_network, bundle, network, options.images, options.limit)
        yield compare("network", load_classifier)
        if _has_core_ml(bundle):
            yield compare("network under Core ML itself", load_coreml_classifier)
    if options.layers:
        yield check_layers(bundle, network, options.images, options.limit)


def _check_chart(chart: Path | None, layers: bool, bundles: int) -> None:
    from mobisdk.report.charts.picture import CHART_FORMATS

    if chart is None:
        return
    if not layers or bundles > 1:
        raise ConfigError("--chart draws the layers of one bundle", got=f"{bundles} of them", hint="Add --layers")
    if chart.suffix not in CHART_FORMATS or not chart.parent.is_dir():
        allowed = ", ".join(CHART_FORMATS)
        raise ConfigError("--chart must name a picture or a page in a folder", got=str(chart), allowed=allowed)


def _draw(checks: list[Check], chart: Path) -> None:
    from mobisdk.files import write_atomically
    from mobisdk.report.charts.layers import draw_layers
    from mobisdk.report.charts.picture import draw_chart

    measured = [check.figures["layers"] for check in checks if check.figures.get("layers")]
    if not measured:
        say("There is no chart: no layer was measured.")
        return
    write_atomically(chart, draw_chart(draw_layers(measured[0]), chart.suffix))
    say(f"Chart: {chart}")


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


def _check_against_network(
    bundle: "Bundle",
    network: "Network",
    images: str,
    limit: int | None,
    name: str,
    load: "Callable[[Bundle], Classifier]",
) -> Check:
    """The artefact against the network it was made from, on a person's own images."""
    from mobisdk.cli.against_network import compare_with_network

    try:
        found = compare_with_network(bundle, network, images, limit, load)
    except UnsupportedError as refusal:
        return Check(name, None, str(refusal))
    row = {
        "output": found.output,
        "top-1 agrees": f"{found.top1_agreement:.2%}",
        "SQNR dB": f"{found.sqnr_db:.1f}",
        "max error": f"{found.max_abs_error:.2g}",
        "relative": f"{found.relative_error:.2g}",
    }
    if found.network_top1 is not None:
        row |= {"right": f"{found.artefact_top1:.2%}", "the network": f"{found.network_top1:.2%}"}
    return Check(
        name,
        found.ok,
        f"{found.images} held-out images of {found.data} (set {found.image_set_sha256[:12]}). Bound: {found.bound}",
        dataclasses.asdict(found),
        [row],
    )


def _report_neural_engine(bundle: "Bundle") -> Check:
    from mobiconvert.mil_evaluator import describe_package
    from mobisdk.cli.verify_package import report_neural_engine

    return report_neural_engine(describe_package(bundle.model_path))


def _report_weights(weights: Any) -> Check:
    """Which weights are stored in fewer bits, as the manifest says it: what is kept is allowed, and should be seen."""
    tensors = weights["compressed"]["tensors"]
    kept = [f"{entry['tensors']} ({entry['reason']})" for entry in weights["kept"]]
    found = f"{tensors} of {tensors + sum(entry['tensors'] for entry in weights['kept'])} are stored in fewer bits"
    return Check("weights", True, found + (f"; kept: {', '.join(kept)}" if kept else ""), weights)


def _report_delegation(bundle: "Bundle") -> Check:
    """A network that runs outside its backend is slow, not wrong: this warns and does not fail."""
    delegation, target = bundle.manifest["delegation"], bundle.target
    share = bundle.delegated_share
    found = f"{target.backend} takes {share:.1%} of the multiply-adds"
    if target.runtime == "coreml":
        found += ", and chooses CPU, GPU or Neural Engine on the phone"
    if delegation["fallback"]:
        slow = ", ".join(f"{entry['count']} × {entry['op']} ({entry['reason']})" for entry in delegation["fallback"])
        found += f"; left to slow kernels: {slow}"
    if share < LEAST_DELEGATED:
        say(f"Warning: {bundle.name} delegates only {share:.1%}; it will be slower than it could be.")
    return Check("delegation", True, found)

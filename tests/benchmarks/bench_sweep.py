"""Every architecture × every recipe × two values of α: exported, verified, and timed where this computer runs it.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_sweep.py [--archs a,b] [--recipes a,b] [--processes 2]

Registries are what is iterated over: a new architecture or recipe is in the table by itself. Each network takes its
smallest resolution, and digits to calibrate with. The table replaces the one in docs/conversion.md; the whole product
takes hours.
"""

import argparse
import collections
import datetime
import functools
import importlib.metadata
import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "conversion.md"
BEGIN, END = "<!-- bench-sweep begins -->", "<!-- bench-sweep ends -->"
ALPHAS = (0.25, 0.5)
RESOLUTIONS = (32, 64, 75, 96, 128, 224)
CLASSES = 10
SAMPLES = 20


@dataclass(frozen=True)
class Outcome:
    """What became of one network under one recipe."""

    size_bytes: int = 0
    delegated: float = 0.0
    sqnr_db: float = 0.0
    median_ms: float | None = None
    error: str | None = None


def main() -> None:
    """Sweep, and put the table into the document."""
    from mobiconvert import RECIPES
    from mobisdk.models.registry import list_models

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--archs", type=lambda text: text.split(","), default=list_models())
    parser.add_argument("--recipes", type=lambda text: text.split(","), default=[recipe.name for recipe in RECIPES])
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    networks = [(arch, alpha) for arch in options.archs for alpha in ALPHAS]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, context) as pool:
        outcomes = list(
            pool.map(functools.partial(sweep_network, recipes=options.recipes), *zip(*networks, strict=True))
        )
    table = write_table(dict(zip(networks, outcomes, strict=True)), options.recipes)
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def sweep_network(arch: str, alpha: float, recipes: list[str]) -> dict[str, Outcome]:
    """One network under every recipe."""
    from mobiconvert import RECIPES
    from mobisdk.cli.calibration import load_calibration
    from mobisdk.cli.networks import create_untrained_network

    network = create_untrained_network(find_smallest(arch, alpha))
    calibration = load_calibration("digits", network.input, None, 64)
    chosen = [recipe for recipe in RECIPES if recipe.name in recipes]
    return {recipe.name: export_once(network, recipe, calibration) for recipe in chosen}


def find_smallest(arch, alpha):  # type: ignore[no-untyped-def]
    """The ModelSpec of the smallest resolution that the architecture takes."""
    from mobisdk.cost import count_spec_cost
    from mobisdk.errors import MobiError
    from mobisdk.specs import ModelSpec

    for resolution in RESOLUTIONS:
        spec = ModelSpec(arch=arch, alpha=alpha, resolution=resolution, num_classes=CLASSES)
        try:
            count_spec_cost(spec)
        except MobiError:
            continue
        return spec
    raise SystemExit(f"{arch} takes none of {RESOLUTIONS}")


def export_once(network, recipe, calibration):  # type: ignore[no-untyped-def]
    """Export, verify as `mobisdk verify` does, and time it where ExecuTorch's own runtime runs it."""
    from mobiconvert import load_classifier
    from mobisdk.cli.networks import convert_network
    from mobisdk.cli.verify import verify_bundle
    from mobisdk.errors import MobiError

    with tempfile.TemporaryDirectory() as folder:
        try:
            # An untrained network has no top-1 to lose.
            bundle = convert_network(network, recipe, Path(folder), calibration=calibration, max_drop=100.0)
            failed = [check.found for check in verify_bundle(bundle.path) if check.ok is False]
            if failed:
                return Outcome(error=f"verify: {failed[0]}")
            median = None
            if recipe.runtime == "executorch" and recipe.backend in ("xnnpack", "portable"):
                median = time_forward(bundle, load_classifier(bundle))
        except MobiError as error:
            return Outcome(error=str(error))
        sqnr = bundle.manifest["parity"]["sqnr_db"]
        return Outcome(bundle.size_bytes, bundle.delegated_share, sqnr, median)


def time_forward(bundle, classifier):  # type: ignore[no-untyped-def]
    """Median milliseconds, one thread."""
    from mobiconvert.executorch.runtime import set_threads

    set_threads(1)
    classifier.load()
    prepared = classifier.prepare(bundle.golden_input())
    samples = []
    for _ in range(SAMPLES):
        started = time.perf_counter_ns()
        classifier.forward(prepared)
        samples.append((time.perf_counter_ns() - started) / 1e6)
    classifier.close()
    return statistics.median(samples)


def write_table(outcomes: dict[tuple[str, float], dict[str, Outcome]], recipes: list[str]) -> str:
    """A row a recipe, with what it does over all networks; then every failure by name."""
    lines = [
        "| recipe | exported and verified | delegated, least | SQNR dB, least | kB, median | ms, median |",
        "|---|---|---|---|---|---|",
    ]
    failures: dict[str, list[str]] = collections.defaultdict(list)
    for recipe in recipes:
        found = {network: each[recipe] for network, each in outcomes.items()}
        good = [outcome for outcome in found.values() if outcome.error is None]
        for (arch, alpha), outcome in found.items():
            if outcome.error is not None:
                failures[f"`{recipe}`: {outcome.error}"].append(f"{arch} {alpha:g}")
        cells = ["–"] * 4
        if good:
            timed = [outcome.median_ms for outcome in good if outcome.median_ms is not None]
            cells = [
                f"{min(outcome.delegated for outcome in good):.1%}",
                f"{min(outcome.sqnr_db for outcome in good):.0f}",
                f"{statistics.median(outcome.size_bytes for outcome in good) / 1e3:.0f}",
                f"{statistics.median(timed):.2f}" if timed else "phone",
            ]
        lines.append(f"| `{recipe}` | {len(good)} of {len(found)} | " + " | ".join(cells) + " |")
    archs = ", ".join(dict.fromkeys(arch for arch, _ in outcomes))
    versions = ", ".join(f"{tool} {importlib.metadata.version(tool)}" for tool in ("executorch", "coremltools"))
    lines.append(
        f"\n{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, `make bench-sweep`, {versions}; α {ALPHAS[0]:g} and "
        f"{ALPHAS[1]:g}, untrained, each at its smallest resolution: {archs}.\n"
    )
    lines += [f"- {reason} ({', '.join(names)})" for reason, names in failures.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

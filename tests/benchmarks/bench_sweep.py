"""Every architecture × every recipe × two values of α: exported, verified, and timed where this computer runs it.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_sweep.py [--archs a,b] [--recipes a,b] [--minutes 60]

Registries are what is iterated over: a new architecture or recipe is in the table by itself. Each network takes its
smallest resolution, and digits to calibrate with. The whole product takes hours, so each row is appended to
docs/conversion-sweep.jsonl as it is done, the most telling first; a stop loses the rows under way, and the next start
goes on (`--again` repeats what failed). Rows of other versions of the tools are made anew. The table that replaces the
one in docs/conversion.md is of all rows that are done.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import datetime
import functools
import importlib.metadata
import itertools
import json
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from report import put_table, tell

DOCUMENT = Path(__file__).parents[2] / "docs" / "conversion.md"
ROWS = DOCUMENT.with_name("conversion-sweep.jsonl")
ALPHAS = (0.25, 0.5)
FIRST = ("xnnpack_fp32", "xnnpack_int8", "coreml_fp16", "coreml_int8", "coreml_palette_4bit")
"""At the smaller α these come before all others."""
RESOLUTIONS = (32, 64, 75, 96, 128, 224)
CLASSES = 10
CALIBRATION_IMAGES = 64
SAMPLES = 20
VERSIONS = {tool: importlib.metadata.version(tool) for tool in ("torch", "executorch", "coremltools")}


@dataclasses.dataclass(frozen=True)
class Row:
    """What became of one network under one recipe."""

    arch: str
    alpha: float
    recipe: str
    resolution: int | None = None
    size_bytes: int = 0
    delegated: float = 0.0
    sqnr_db: float = 0.0
    median_ms: float | None = None
    error: str | None = None

    @property
    def key(self) -> tuple[str, float, str]:
        """What is measured once."""
        return self.arch, self.alpha, self.recipe


def main() -> None:
    """Sweep what is not done yet, and put the table of all that is into the document."""
    from mobiconvert import RECIPES
    from mobisdk.models.registry import list_models

    swept = [recipe.name for recipe in RECIPES if recipe.name != "coreml_own_codes"]  # untrained networks have none
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--archs", type=lambda text: text.split(","), default=list_models())
    parser.add_argument("--recipes", type=lambda text: text.split(","), default=swept)
    parser.add_argument("--rows", type=Path, default=ROWS, help="JSON Lines that are read, and added to.")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="Begin no row later than this.")
    parser.add_argument("--again", action="store_true", help="Repeat the rows that failed.")
    options = parser.parse_args()
    done = {row.key: row for row in read_rows(options.rows)}
    product = order(options.archs, options.recipes)
    waiting = [key for key in product if key not in done or (options.again and done[key].error is not None)]
    if waiting:
        tell(f"{len(product)} rows, {len(product) - len(waiting)} of them done")
        for row in sweep(waiting, options.processes, options.minutes):
            with options.rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(dataclasses.asdict(row) | {"versions": VERSIONS}, sort_keys=True) + "\n")
            done[row.key] = row
    table = write_table([done[key] for key in product if key in done], len(product))
    put_table(DOCUMENT, "bench-sweep", table)


def read_rows(path: Path) -> list[Row]:
    """Rows of these versions of the tools; of two of the same network and recipe the later one counts."""
    if not path.exists():
        return []
    documents: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Row(**document) for document in documents if document.pop("versions") == VERSIONS]


def order(archs: list[str], recipes: list[str]) -> list[tuple[str, float, str]]:
    """The product, the most telling first; what is at the end may never be reached."""
    first = [recipe for recipe in FIRST if recipe in recipes]
    others = [recipe for recipe in recipes if recipe not in FIRST]
    return [
        *((arch, ALPHAS[0], recipe) for arch, recipe in itertools.product(archs, first)),
        *((arch, ALPHAS[0], recipe) for recipe, arch in itertools.product(others, archs)),
        *((arch, ALPHAS[1], recipe) for recipe, arch in itertools.product(first + others, archs)),
    ]


def sweep(keys: list[tuple[str, float, str]], processes: int, minutes: float | None) -> Iterator[Row]:
    """Rows as they are done, each told with an estimate; `processes` threads that each lend a process."""
    started, workers = time.monotonic(), threading.local()

    def run(key: tuple[str, float, str]) -> Row | None:
        if minutes is not None and time.monotonic() - started > 60 * minutes:
            return None
        if not hasattr(workers, "pool"):
            context = multiprocessing.get_context("spawn")
            workers.pool = pools.enter_context(concurrent.futures.ProcessPoolExecutor(1, context))
        try:
            return workers.pool.submit(sweep_row, *key).result()
        except BrokenProcessPool:
            del workers.pool
            return Row(*key, error="the process that exported it was ended")
        except Exception as fault:  # no MobiError: a fault of ours, which must not hide the others
            return Row(*key, error=f"{type(fault).__name__}: {fault}"[:500])

    with contextlib.ExitStack() as pools:
        threads = pools.enter_context(concurrent.futures.ThreadPoolExecutor(processes))
        for count, future in enumerate(concurrent.futures.as_completed([threads.submit(run, key) for key in keys]), 1):
            row = future.result()
            if row is None:
                continue
            rate = (time.monotonic() - started) / count
            found = row.error or f"{row.sqnr_db:.0f} dB"
            tell(
                f"{count} of {len(keys)}, {rate:.1f} s each, {rate * (len(keys) - count) / 60:.0f} min left: "
                f"{row.arch} {row.alpha:g} {row.recipe}: {found}"
            )
            yield row


def sweep_row(arch: str, alpha: float, name: str) -> Row:
    """Export, verify as `mobisdk verify` does, and time it where ExecuTorch's own runtime runs it."""
    from mobiconvert import RECIPES, load_classifier
    from mobisdk.cli.networks import convert_network
    from mobisdk.cli.verify import verify_bundle
    from mobisdk.errors import MobiError

    network, calibration = open_network(arch, alpha)
    (recipe,) = (recipe for recipe in RECIPES if recipe.name == name)
    row = Row(arch, alpha, name, network.spec.resolution)
    with tempfile.TemporaryDirectory() as folder:
        try:
            # An untrained network has no top-1 to lose.
            bundle = convert_network(network, recipe, Path(folder), calibration=calibration, max_drop=100.0)
            failed = [check.found for check in verify_bundle(bundle.path) if check.ok is False]
            if failed:
                return dataclasses.replace(row, error=f"verify: {failed[0]}")
            median = None
            if recipe.runtime == "executorch" and recipe.backend in ("xnnpack", "portable"):
                median = time_forward(bundle, load_classifier(bundle))
        except MobiError as error:
            return dataclasses.replace(row, error=str(error))
        return dataclasses.replace(
            row,
            size_bytes=bundle.size_bytes,
            delegated=bundle.delegated_share,
            sqnr_db=round(bundle.manifest["parity"]["sqnr_db"], 2),
            median_ms=median,
        )


@functools.lru_cache(1)  # rows of one network often follow each other
def open_network(arch: str, alpha: float):  # type: ignore[no-untyped-def]
    """The untrained network, and few images to calibrate and to judge it with."""
    from mobisdk.cli.calibration import load_calibration
    from mobisdk.cli.networks import create_untrained_network

    network = create_untrained_network(find_smallest(arch, alpha))
    calibration = load_calibration("digits", network.input, None, CALIBRATION_IMAGES)
    return network, dataclasses.replace(
        calibration,
        held_out=calibration.held_out[:CALIBRATION_IMAGES],
        held_out_labels=calibration.held_out_labels[:CALIBRATION_IMAGES],
    )


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
    return round(statistics.median(samples), 4)


def write_table(rows: list[Row], product: int) -> str:
    """A row a recipe, with what it does over all networks; then every failure by name."""
    lines = [
        "| recipe | exported and verified | delegated, least | SQNR dB, least | kB, median | ms, median |",
        "|---|---|---|---|---|---|",
    ]
    failures: dict[str, list[str]] = collections.defaultdict(list)
    for recipe in dict.fromkeys(row.recipe for row in sorted(rows, key=lambda row: row.recipe)):
        found = [row for row in rows if row.recipe == recipe]
        good = [row for row in found if row.error is None]
        for row in found:
            if row.error is not None:
                failures[f"`{recipe}`: {row.error}"].append(f"{row.arch} {row.alpha:g}")
        cells = ["–"] * 4
        if good:
            timed = [row.median_ms for row in good if row.median_ms is not None]
            worst = min(good, key=lambda row: row.sqnr_db)
            cells = [
                f"{min(row.delegated for row in good):.1%}",
                f"{worst.sqnr_db:.0f} ({worst.arch})",
                f"{statistics.median(row.size_bytes for row in good) / 1e3:.0f}",
                f"{statistics.median(timed):.2f}" if timed else "phone",
            ]
        lines.append(f"| `{recipe}` | {len(good)} of {len(found)} | " + " | ".join(cells) + " |")
    archs = ", ".join(sorted({row.arch for row in rows}))
    versions = ", ".join(f"{tool} {version}" for tool, version in VERSIONS.items())
    lines.append(
        f"\n{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, `make bench-sweep`, {len(rows)} of {product} rows, "
        f"{versions}; α {ALPHAS[0]:g} and {ALPHAS[1]:g}, untrained, each at its smallest resolution: {archs}. "
        f"Each row: `{ROWS.name}`.\n"
    )
    lines += [f"- {reason} ({', '.join(names)})" for reason, names in failures.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

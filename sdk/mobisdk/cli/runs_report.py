"""`mobisdk runs report --compression`: every compression exported to both targets, measured, and told honestly."""

import dataclasses
import json as json_format
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.console import Json, print_json, progress, say, stdout
from mobisdk.cli.page_target import check_page_target
from mobisdk.errors import ConfigError

if TYPE_CHECKING:
    from mobisdk.bundle import Bundle
    from mobisdk.report.compression import Measured
    from mobisdk.training.compressed import CompressedRun

_MEASURED = "measured.json"
_RUNS, _SAMPLES = 5, 30
_IOS_RECIPES = {
    "prune": "coreml_sparse",
    **dict.fromkeys(("binary", "deep_compression", "low_bits", "product_quantization"), "coreml_own_codes"),
}
_MOST_CODE_BITS = 8


def report(
    compression: Annotated[
        bool, typer.Option("--compression", help="Of every compression: what it cost, and what a phone gains.")
    ] = False,
    runs: Annotated[Path, typer.Option(help="Folder where `mobisdk compress` left its networks.")] = Path("runs"),
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the table as an offline page.", metavar="FILE")
    ] = None,
    json: Json = False,
) -> None:
    """What compression gained, exported to both targets and timed here.

    Figures are kept beside each network: the next report measures only what is new.
    """
    from mobisdk.report.compression import COLUMNS, build_compression_page, build_row
    from mobisdk.training.compressed import read_compressions

    if not compression:
        raise ConfigError("a report needs a subject", got=None, allowed="--compression")
    if html is not None:
        check_page_target(html)
    found = read_compressions(runs)
    measured = {}
    with progress() as bar:
        task = bar.add_task("Measuring", total=len(found))
        for run in found:
            bar.update(task, description=f"Measuring {run.folder.name}")
            measured[run.folder.name] = read_or_measure(run)
            bar.advance(task)
    rows = [build_row(run.folder.name, run.document, measured[run.folder.name]) for run in found]
    if html is not None:
        from datetime import datetime

        from mobisdk.files import write_atomically

        write_atomically(html, build_compression_page(rows, datetime.now().astimezone()).encode())
    if json:
        documents = [
            {"name": run.folder.name, **run.document, "measured": dataclasses.asdict(measured[run.folder.name])}
            | {"gains": row["the phone gains"]}
            for run, row in zip(found, rows, strict=True)
        ]
        print_json(documents)
    elif not rows:
        say(f"Nothing was compressed in {runs} yet. Start with: mobisdk compress CHECKPOINT --method low_rank")
    else:
        _print(rows, COLUMNS)


def read_or_measure(run: "CompressedRun") -> "Measured":
    """The figures beside a network, measured where there are none.

    Raises:
        MobiError: the network cannot be exported, or the one that it was made from is gone.
    """
    from mobisdk.files import write_atomically
    from mobisdk.report.compression import Measured

    path = run.folder / _MEASURED
    if not path.exists():
        write_atomically(path, (json_format.dumps(dataclasses.asdict(_measure(run)), indent=2) + "\n").encode())
    return Measured(**json_format.loads(path.read_text(encoding="utf-8")))


def choose_ios_recipe(document: Mapping[str, Any]) -> str:
    """What stores this network's weights on Core ML in the fewest bits without changing them further."""
    last = document["steps"][-1]
    if last["method"] == "fixed_point" and last["settings"]["bits"] <= _MOST_CODE_BITS:
        return "coreml_own_codes"
    return _IOS_RECIPES.get(last["method"], "coreml_fp16")


def _measure(run: "CompressedRun") -> "Measured":
    from mobiconvert import find_recipe
    from mobisdk.cli.networks import convert_network, load_trained_network
    from mobisdk.report.compression import Measured

    before = load_trained_network(Path(run.document["source"]["checkpoint"]), {})
    after = load_trained_network(run.checkpoint, {})
    ios_recipe = choose_ios_recipe(run.document)
    with tempfile.TemporaryDirectory() as folder:

        def export(network: Any, recipe: str, platform: str, name: str) -> "Bundle":
            return convert_network(network, find_recipe(recipe, platform), Path(folder) / name)

        programs = [
            export(before, "xnnpack_fp32", "android", "before"),
            export(after, "xnnpack_fp32", "android", "after"),
        ]
        packages = [export(before, "coreml_fp16", "ios", "before-ios"), export(after, ios_recipe, "ios", "after-ios")]
        latencies = _time(programs)
    return Measured(
        programs[1].size_bytes,
        programs[0].size_bytes,
        ios_recipe,
        packages[1].size_bytes,
        packages[0].size_bytes,
        latencies[1],
        latencies[0],
    )


def _time(bundles: "list[Bundle]") -> list[float]:
    """Median inference of each, in turns, on one thread, in nanoseconds."""
    from mobiconvert import load_classifier
    from mobiconvert.executorch.runtime import set_threads
    from mobisdk.devices.bench_config import BenchConfig
    from mobisdk.devices.runner import BenchmarkRunner

    set_threads(1)
    config = BenchConfig(1, runs=_RUNS, samples=_SAMPLES, cold_starts=0)
    runs = list(BenchmarkRunner(load_classifier, config).run(bundles))
    return [
        statistics.median(
            statistics.median(run.inference_ns) for run in runs if run.bundle.bundle_id == bundle.manifest["bundle_id"]
        )
        for bundle in bundles
    ]


def _print(rows: "list[dict[str, str]]", columns: tuple[str, ...]) -> None:
    """One block a compression: eleven columns are too many for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    for row in rows:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("network")
        table.add_column(Text(row["network"]), overflow="fold")
        for column in columns[1:]:
            table.add_row(column, Text(row[column]))
        stdout().print(table)

"""What compression makes of bundles at 224: multiply-adds, bytes on both targets, and the `.pte`'s latency here.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_compressed_bundles.py [--bundles FOLDER] [--time]

Neither depends on what weights a network has, so these are untrained, of ten classes; accuracy is
`bench_techniques.py`'s. The iOS bundles are made at 32, since their bytes do not depend on the resolution. What lies in
the folder is not exported again. With `--time` the programs are timed in turns, on one thread: alone on the computer,
please. The table goes into docs/compression.md.
"""

import argparse
import dataclasses
import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from report import put_table, tell
from scipy import stats

from mobisdk.specs import ModelSpec

DOCUMENT = Path(__file__).parents[2] / "docs" / "compression.md"
TIMES = DOCUMENT.with_name("compressed-latency.json")
CLASSES, SIDE, SMALL_SIDE = 10, 224, 32
ROUNDS, SAMPLES = 75, 4
V1 = ModelSpec("mobilenet_v1", 1.0, SIDE, CLASSES)
V1_NARROW = ModelSpec("mobilenet_v1", 0.7, SIDE, CLASSES)
FULL_CONVOLUTION = ModelSpec("mobilenet_v1_full_conv", 0.5, SIDE, CLASSES)


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, and what is done to it."""

    name: str
    spec: ModelSpec
    methods: str = ""
    settings: tuple[str, ...] = ()
    beside: str = ""
    """The case that it is compared with."""
    goals: tuple[tuple[str, str, float], ...] = ()
    """Figure, `≤` or `≥`, bound."""


_FASTER = (("multiply-adds fewer", "≥", 2.5), ("faster", "≥", 1.6))
CASES = (
    Case("V1 1.0", V1),
    Case("V1 1.0, prune_channels keep=0.7", V1, "prune_channels", ("keep=0.7",), "V1 1.0", (("latency", "≤", 0.6),)),
    Case("V1 0.7", V1_NARROW, beside="V1 1.0"),
    Case("V1 1.0, binary", V1, "binary", (), "V1 1.0", (("iOS bytes", "≤", 0.12),)),
    Case("V1 1.0, low_bits weight_bits=4", V1, "low_bits", ("weight_bits=4",), "V1 1.0"),
    Case("full convolution 0.5", FULL_CONVOLUTION),
    *(
        Case(f"full convolution 0.5, {method} {' '.join(settings)}", FULL_CONVOLUTION, method, settings,
             "full convolution 0.5", _FASTER)
        for method, settings in (
            ("low_rank", ("ratio=0.3",)),
            ("low_rank", ("scheme=scheme_2", "ratio=0.3")),
            ("cp", ("ratio=0.3", "restarts=1")),  # the ranks are the same
        )
    ),
)  # fmt: skip


def main() -> None:
    """Export what is not there, time where that is asked for, and put the table into the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundles", type=Path, default=Path("runs/bench-compressed-bundles"))
    parser.add_argument("--cases", help="Part of a case's name.", default="")
    parser.add_argument("--time", action="store_true")
    options = parser.parse_args()
    cases = [case for case in CASES if options.cases in case.name]
    for case in cases:
        folder = options.bundles / case.name.replace(" ", "-")
        if not folder.exists():
            tell(case.name)
            export(case, folder)
    if options.time:
        TIMES.write_text(json.dumps(time_programs(cases, options.bundles), indent=2, sort_keys=True) + "\n")
    times = json.loads(TIMES.read_text()) if TIMES.exists() else {}
    put_table(DOCUMENT, "bench-compressed-bundles", write_table(cases, options.bundles, times))


def export(case: Case, folder: Path) -> None:
    """The case's two bundles, `android` and `ios`, in `folder`."""
    import torch

    from mobiconvert import find_recipe
    from mobisdk.cli.compress import build_configs
    from mobisdk.cli.networks import convert_network, create_untrained_network
    from mobisdk.compression import compress_
    from mobisdk.files import folder_atomically

    stores_codes = case.methods in ("binary", "low_bits")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_atomically(folder) as partial:
        for platform, recipe, side in (
            ("android", "xnnpack_fp32", SIDE),
            ("ios", "coreml_own_codes" if stores_codes else "coreml_fp16", SMALL_SIDE),
        ):
            network = create_untrained_network(dataclasses.replace(case.spec, resolution=side))
            records = [
                compress_(network.module, config, images=torch.zeros(1, 3, side, side)).record
                for config in (build_configs(case.methods, case.settings, None) if case.methods else ())
            ]
            network = dataclasses.replace(network, compression=tuple(records))
            convert_network(network, find_recipe(recipe, platform), partial / platform)


def read_bundles(folder: Path) -> dict[str, Any]:
    """By platform."""
    from mobisdk.bundle import read_bundle

    return {platform: read_bundle(next((folder / platform).iterdir())) for platform in ("android", "ios")}


def time_programs(cases: list[Case], bundles: Path) -> dict[str, list[float]]:
    """Milliseconds of each round, by case; in every round each program runs in its turn."""
    from mobiconvert import load_classifier
    from mobiconvert.executorch.runtime import set_threads

    set_threads(1)
    programs = {}
    for case in cases:
        bundle = read_bundles(bundles / case.name.replace(" ", "-"))["android"]
        classifier = load_classifier(bundle)
        classifier.load()
        programs[case.name] = (classifier, classifier.prepare(bundle.golden_input()))
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(ROUNDS):
        for name, (classifier, prepared) in programs.items():
            classifier.forward(prepared)
            samples = []
            for _ in range(SAMPLES):
                started = time.perf_counter_ns()
                classifier.forward(prepared)
                samples.append((time.perf_counter_ns() - started) / 1e6)
            times[name].append(round(statistics.median(samples), 4))
    return times


def compare_times(times: dict[str, list[float]], case: Case) -> tuple[float, float, float] | None:
    """The ratio to what it is beside, and its 95 % t interval over rounds, of logarithms."""
    if case.name not in times or case.beside not in times:
        return None
    logs = np.log(np.array(times[case.name]) / np.array(times[case.beside]))
    reach = float(stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1)) / math.sqrt(len(logs))
    return math.exp(logs.mean()), math.exp(logs.mean() - reach), math.exp(logs.mean() + reach)


def write_table(cases: list[Case], bundles: Path, times: dict[str, list[float]]) -> str:
    """Markdown: a case a line, each beside another one."""
    read = {case.name: read_bundles(bundles / case.name.replace(" ", "-")) for case in cases}
    lines = [
        "| network at 224 | beside | multiply-adds | `.pte` bytes | iOS bytes (recipe) | latency here (95 %) | asked |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        if case.beside not in read:
            continue
        own, other = read[case.name], read[case.beside]
        macs, program, package = (
            own[platform].manifest["model"]["macs"] / other[platform].manifest["model"]["macs"]
            if figure == "macs"
            else own[platform].size_bytes / other[platform].size_bytes
            for platform, figure in (("android", "macs"), ("android", "bytes"), ("ios", "bytes"))
        )
        ratio = compare_times(times, case)
        latency = "–" if ratio is None else f"{ratio[0]:.3f} × ({ratio[1]:.3f} to {ratio[2]:.3f})"
        figures = {"multiply-adds fewer": (1 / macs, 1 / macs), "iOS bytes": (package, package)}
        if ratio is not None:
            figures |= {"latency": (ratio[0], ratio[2]), "faster": (1 / ratio[0], 1 / ratio[2])}
        asked = "; ".join(
            f"{figure} {sign} {bound:g}: {_judge(figures.get(figure), sign, bound)}"
            for figure, sign, bound in case.goals
        )
        recipe = own["ios"].target.recipe
        lines.append(
            f"| {case.name} | {case.beside} | {macs:.3f} × | {program:.3f} × | {package:.4f} × (`{recipe}`) "
            f"| {latency} | {asked or '–'} |"
        )
    return "\n".join(lines)


def _judge(value: tuple[float, float] | None, sign: str, bound: float) -> str:
    """Of a figure and the worse end of its interval."""
    if value is None:
        return "not measured"
    mean, worst = ((one <= bound) if sign == "≤" else (one >= bound) for one in value)
    verdict = "yes" if worst else "the mean does, its interval reaches past" if mean else "no"
    return f"{verdict} ({value[0]:.3g}, at worst {value[1]:.3g})"


if __name__ == "__main__":
    main()

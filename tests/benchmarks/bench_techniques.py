"""Techniques of compression on digits, each goal beside what was measured; the table goes into docs/compression.md.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_techniques.py [--cases 'a;b'] [--seeds 0,1,2]

A case is measured for both halves of every seed (see `digits_halves.py`), a line each in docs/techniques.jsonl; the
next start goes on. Trained networks are kept in `--kept`.
"""

import argparse
import dataclasses
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import technique_cases as cases
from digits_halves import HALVES, Cell
from report import put_table, tell
from scipy import stats

from mobisdk.compression.binary_weights import BinaryWeightsConfig
from mobisdk.compression.cp import CpConfig
from mobisdk.compression.fixed_point import FixedPointConfig
from mobisdk.compression.low_bits import LowBitsConfig
from mobisdk.compression.low_rank import LowRankConfig
from mobisdk.compression.magnitude_pruning import MagnitudePruningConfig
from mobisdk.compression.structured_transforms import StructuredTransformsConfig

DOCUMENT = Path(__file__).parents[2] / "docs" / "compression.md"
ROWS = DOCUMENT.with_name("techniques.jsonl")


@dataclasses.dataclass(frozen=True)
class Goal:
    """A figure of a case and its bound."""

    figure: str
    """In the results, or `lost`, or `lost less than …`: a difference of two accuracies, in points."""
    at_least: float | None = None
    at_most: float | None = None


@dataclasses.dataclass(frozen=True)
class Case:
    """What is measured, and what is asked of it."""

    name: str
    measure: Callable[[Cell], cases.Result]
    goals: tuple[Goal, ...]


LOST_HALF, LOST_ONE, LOST_MORE = (Goal("lost", at_most=points) for points in (0.5, 1.0, 1.5))
FEWER_MACS = Goal("macs_times_fewer", at_least=2.5)
CASES = (
    Case(
        "channel pruning, MobileNetV1 1.0, keep 0.7",
        cases.channel_pruning,
        (Goal("macs_times_fewer"), LOST_MORE, Goal("behind narrow", at_most=0.0)),
    ),
    *(
        Case(f"{name}, full convolution 0.25", cases.measure(cases.FULL_CONVOLUTION, 16, config, epochs=6), goals)
        for name, config, goals in (
            ("low rank (Tucker-2), ratio 0.3", LowRankConfig(ratio=0.3), (FEWER_MACS, LOST_ONE)),
            ("low rank (scheme 2), ratio 0.3", LowRankConfig(scheme="scheme_2", ratio=0.3), (FEWER_MACS, LOST_ONE)),
            ("CP, ratio 0.3", CpConfig(ratio=0.3), (FEWER_MACS, LOST_ONE)),
            ("magnitude pruning, 80 %", MagnitudePruningConfig(sparsity=0.8), (LOST_ONE,)),
        )
    ),
    *(
        Case(f"{name}, MobileNetV1 0.5", cases.measure(cases.V1_HALF, 20, config, epochs=6), goals)
        for name, config, goals in (
            ("4 bits", LowBitsConfig(weight_bits=4), (LOST_ONE,)),
            ("binary weights", BinaryWeightsConfig(), (Goal("lost"),)),
        )
    ),
    Case(
        "Deep Compression, MobileNetV1 0.5",
        cases.deep_compression_mobilenet,
        (Goal("times_smaller", at_least=8.0), LOST_MORE),
    ),
    Case(
        "hashing at 1/8, LeNet-300-100",
        cases.hashing,
        (LOST_MORE, Goal("ahead of equal", at_least=0.0)),
    ),
    Case(
        "product quantization, full convolution 0.25",
        cases.product_quantization,
        (Goal("times_smaller", at_least=12.0), LOST_ONE),
    ),
    Case(
        "Deep Compression, LeNet-300-100",
        cases.deep_compression_lenet_300_100,
        (Goal("times_smaller", at_least=25.0), LOST_HALF),
    ),
    Case(
        "Deep Compression, LeNet-5",
        cases.deep_compression_lenet_5,
        (Goal("times_smaller", at_least=25.0), LOST_HALF),
    ),
    *(
        Case(f"{name}, MobileNetV1 0.5", cases.measure(cases.V1_HALF, 20, config, epochs=6), (Goal("lost"),))
        for name, config in (
            ("Toeplitz-like, rank 4", StructuredTransformsConfig(rank=4)),
            ("fastfood", StructuredTransformsConfig(kind="fastfood")),
            ("fixed point, 10 bits and activations", FixedPointConfig(bits=10)),
            ("2 bits", LowBitsConfig(weight_bits=2)),
            ("6 bits", LowBitsConfig(weight_bits=6)),
        )
    ),
)


def read_figure(result: cases.Result, figure: str) -> float:
    """A figure as measured, or the difference that its name asks for."""
    if figure == "lost":
        return result["before"] - result["after"]
    for word, sign in (("behind ", 1), ("ahead of ", -1)):
        if figure.startswith(word):
            return sign * (result[figure.removeprefix(word)] - result["after"])
    return result[figure]


def judge(goal: Goal, mean: float, reach: float) -> str:
    """Whether the whole interval is on the goal's side, the mean alone, or not even that."""
    if goal.at_least is None and goal.at_most is None:
        return "–"
    sign, bound = (1, goal.at_least) if goal.at_least is not None else (-1, goal.at_most)
    margin = sign * (mean - (bound or 0.0))
    if math.isinf(reach):
        return "by the one network that there is" if margin >= 0 else "no"
    if margin >= reach:
        return "yes"
    return "the mean does, its interval reaches past" if margin >= 0 else "no"


def write_table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a goal a line."""
    lines = [
        "| case | networks | right before → after (%) | figure | asked | measured (95 %) | met |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in CASES:
        results = [row["result"] for row in rows if row["case"] == case.name]
        if not results:
            continue
        accuracies = " → ".join(f"{np.mean([result[when] for result in results]):.2f}" for when in ("before", "after"))
        for goal in case.goals:
            values = np.array([read_figure(result, goal.figure) for result in results])
            mean, reach = float(values.mean()), math.inf
            if len(values) > 1:
                reach = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1)) / math.sqrt(len(values))
            asked = next(
                (
                    f"{sign} {bound:g}"
                    for sign, bound in (("≥", goal.at_least), ("≤", goal.at_most))
                    if bound is not None
                ),
                "shown",
            )
            lines.append(
                f"| {case.name} | {len(values)} | {accuracies} | {goal.figure.replace('_', ' ')} | {asked} "
                f"| {mean:.2f}{'' if math.isinf(reach) else f' ± {reach:.2f}'} | {judge(goal, mean, reach)} |"
            )
    return "\n".join(lines)


def order(names: list[str], seeds: list[int]) -> Iterator[tuple[int, Case, int]]:
    """Every case's first half before any second one: what is at the end may never be reached."""
    chosen = [case for case in CASES if any(name in case.name for name in names)]
    return itertools.product(range(HALVES), chosen, seeds)


def main() -> None:
    """Measure what is not done yet, and put the table into the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", help="Parts of cases' names, with semicolons between.", default="")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--kept", type=Path, default=Path("runs/bench-techniques"))
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--minutes", type=float, help="Begin no network later than this.")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.rows.read_text().splitlines()] if options.rows.exists() else []
    done = {(row["case"], row["seed"], row["half"]) for row in rows}
    begun = time.monotonic()
    for half, case, seed in order(options.cases.split(";"), options.seeds):
        if (case.name, seed, half) in done:
            continue
        if options.minutes is not None and time.monotonic() - begun > 60 * options.minutes:
            break
        started = time.process_time()
        result = case.measure(Cell(seed, half, options.kept))
        row = {"case": case.name, "seed": seed, "half": half, "result": result}
        rows.append({**row, "cpu_seconds": round(time.process_time() - started, 1)})
        with options.rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rows[-1], sort_keys=True) + "\n")
        tell(json.dumps(rows[-1]))
    put_table(DOCUMENT, "bench-techniques", write_table(rows))


if __name__ == "__main__":
    main()

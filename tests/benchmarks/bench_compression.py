"""Techniques of compression on trained networks: what each costs in accuracy, and what a phone gains.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_compression.py [--cases a,b] [--seeds 0,1,2] [--data digits]

A row is a case and a seed: the network is trained where the folder has none, compressed and fine-tuned by
`mobisdk compress`, exported to both targets and timed. Rows are appended to docs/compression.jsonl as they are done,
and the next start goes on. The table in docs/compression.md is of all rows.
"""

import argparse
import dataclasses
import json
import math
import resource
import statistics
import time
from pathlib import Path
from typing import Any

from report import put_table, tell
from scipy import stats

DOCUMENT = Path(__file__).parents[2] / "docs" / "compression.md"
ROWS = DOCUMENT.with_name("compression.jsonl")
_SMALL = {"resolution": 32, "stem_stride": 1}
NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "full-conv 0.5": ({"arch": "mobilenet_v1_full_conv", "alpha": 0.5, **_SMALL}, 10),
    "v1 1.0": ({"arch": "mobilenet_v1", "alpha": 1.0, **_SMALL}, 14),
    "v1 0.7": ({"arch": "mobilenet_v1", "alpha": 0.7, **_SMALL}, 14),
    "v1 0.25": ({"arch": "mobilenet_v1", "alpha": 0.25, **_SMALL}, 14),
}
"""Spec, and epochs on digits."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A technique with its settings on a network."""

    network: str
    methods: str
    settings: tuple[str, ...]
    epochs: int
    learning_rate: float | None = None

    @property
    def name(self) -> str:
        """As in the table, and behind `--cases`."""
        return f"{self.network} {self.methods} {' '.join(self.settings)}".strip()


CASES = (
    Case("full-conv 0.5", "low_rank", ("ratio=0.3",), 3),
    Case("full-conv 0.5", "low_rank", ("scheme=scheme_2", "ratio=0.3"), 3),
    Case("full-conv 0.5", "cp", ("ratio=0.25",), 3),
    Case("v1 1.0", "prune_channels", ("keep=0.7",), 4),
    Case("v1 1.0", "low_rank", ("ratio=0.6",), 3),
    Case("full-conv 0.5", "prune", ("sparsity=0.8", "steps=3"), 3),
    Case("v1 0.25", "prune_channels", ("keep=0.7",), 4),  # the smallest, to try the runner with
)


def main() -> None:
    """Measure what is not done yet, and put the table into the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", help="Part of a case's name.", default="")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--runs", type=Path, default=Path("runs/bench-compression"))
    parser.add_argument("--rows", type=Path, default=ROWS)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.rows.read_text().splitlines()] if options.rows.exists() else []
    done = {(row["case"], row["seed"], row["data"]) for row in rows}
    for seed in options.seeds:
        for case in CASES:
            data = "digits" if options.data == "digits" else Path(options.data).stem
            if options.cases not in case.name or (case.name, seed, data) in done:
                continue
            tell(f"{case.name}, seed {seed}")
            row = {"case": case.name, "seed": seed, "data": data, **measure(case, seed, options.data, options.runs)}
            rows.append(row)
            with options.rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, sort_keys=True) + "\n")
    put_table(DOCUMENT, "bench-compression", write_table(rows))


def measure(case: Case, seed: int, data: str, runs: Path) -> dict[str, Any]:
    """One row's figures."""
    from mobisdk.cli.compress import build_configs
    from mobisdk.cli.runs_report import read_or_measure
    from mobisdk.report.compression import tell_gain
    from mobisdk.training.compressed import compress_checkpoint, read_compressions
    from mobisdk.training.compression_work import CompressionPlan

    source = train_network(case.network, seed, data, runs)
    name = "-".join([source.parent.name, *case.methods.split(","), *case.settings]).replace("=", "_")
    kept = {run.folder.name: run for run in read_compressions(runs)}
    started = time.process_time()
    run = kept.get(name) or compress_checkpoint(
        source,
        CompressionPlan(
            build_configs(case.methods, case.settings, None),
            data=data,
            finetune_epochs=case.epochs,
            learning_rate=case.learning_rate,
            seed=seed,
        ),
        runs=runs,
        name=name,
    )
    seconds = time.process_time() - started
    measured = read_or_measure(run)
    totals = ("tested", "correct_before", "correct_after", "params_before", "params_after", "macs_before", "macs_after")
    return {
        **{field: run.document[field] for field in (*totals, "size_bytes_before", "size_bytes_after")},
        **dataclasses.asdict(measured),
        "gains": tell_gain(measured),
        "cpu_seconds": round(seconds, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def train_network(network: str, seed: int, data: str, runs: Path) -> Path:
    """The trained network's checkpoint, which later cases find."""
    from mobisdk.specs import ModelSpec
    from mobisdk.training import TrainSpec, train

    spec, epochs = NETWORKS[network]
    name = f"{network}-{Path(data).stem}-{seed}".replace(" ", "-")
    path = runs / name / "last.safetensors"
    if not path.exists():
        runs.mkdir(parents=True, exist_ok=True)
        train(TrainSpec(ModelSpec(**spec), data=data, epochs=epochs, seed=seed), runs=runs, name=name)
    return path


def write_table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a case a line, means over seeds, and the t interval of the accuracy's change where there are three."""
    columns = (
        "case, data, seeds, right before → after (%), change in points (95 %), multiply-adds, weights, .pte, iOS bytes"
    )
    lines = [
        f"| {columns.replace(', ', ' | ')} | latency here | the phone gains |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["case"], row["data"]), []).append(row)
    for (case, data), group in groups.items():

        def ratio(field: str, same: list[dict[str, Any]] = group) -> str:
            after = field if field in same[0] else f"{field}_after"
            return f"{statistics.fmean(row[after] / row[f'{field}_before'] for row in same):.2f} ×"

        before = [100 * row["correct_before"] / row["tested"] for row in group]
        after = [100 * row["correct_after"] / row["tested"] for row in group]
        changes = [new - old for old, new in zip(before, after, strict=True)]
        change = f"{statistics.fmean(changes):+.2f}"
        if len(changes) > 1:
            reach = stats.t.ppf(0.975, len(changes) - 1) * statistics.stdev(changes) / math.sqrt(len(changes))
            change += f" ± {reach:.2f}"
        cells = (
            case,
            data,
            str(len(group)),
            f"{statistics.fmean(before):.1f} → {statistics.fmean(after):.1f}",
            change,
            *(ratio(field) for field in ("macs", "size_bytes", "android_bytes", "ios_bytes", "latency_ns")),
            group[-1]["gains"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

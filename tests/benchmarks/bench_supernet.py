r"""A supernet against networks of its widths that were trained alone, for the same number of epochs.

    make bench-supernet                      digits: minutes
    python tests/benchmarks/bench_supernet.py runs/bench-supernet --data ../shared/data/cifar10 --epochs 24 \
        --stem-stride 1

Stopped, it goes on where it was. The table goes into docs/training.md.
"""

import argparse
import statistics
import sys
from pathlib import Path

from tests.benchmarks.bench_distil import show
from tests.benchmarks.training_trials import Trial, Trials, write_table

ALPHAS = (0.25, 0.5, 0.75, 1.0)


def main() -> None:
    """Train, and print and keep the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--stem-stride", type=int, default=2)
    options = parser.parse_args()
    trials = Trials(options.folder)
    rows, differences, ratios = [], [], []
    for seed in range(options.seeds):
        common = (options.epochs, seed, options.stem_stride)
        together = trials.run(Trial(options.data, ALPHAS[-1], *common, supernet=True))
        widths = {line["alpha"]: line for line in together["widths"]}
        alone = {alpha: trials.run(Trial(options.data, alpha, *common)) for alpha in ALPHAS}
        ratio = together["processor_seconds"] / alone[ALPHAS[-1]]["processor_seconds"]
        ratios.append(ratio)
        for alpha in ALPHAS:
            line = {**widths[alpha], "tested": together["tested"]}
            difference = 100 * (line["accuracy"] - alone[alpha]["accuracy"])
            differences.append((alpha, difference))
            rows.append(f"| {seed} | {alpha:g} | {show(alone[alpha])} | {show(line)} | {difference:+.1f} |")
    means = [
        f"{statistics.mean(value for found, value in differences if found == alpha):+.1f} at {alpha:g}"
        for alpha in ALPHAS
    ]
    setting = (
        f"MobileNetV1 at 32×32, stem stride {options.stem_stride}, {Path(options.data).name}, {options.epochs} epochs "
        "each; the brackets are 95 % intervals over the held-out images."
    )
    summary = (
        f"Mean difference: {', '.join(means)} points. Processor time of the supernet's training, its tests included, "
        f"in times of the widest network's alone: {', '.join(f'{ratio:.2f}' for ratio in ratios)} (a figure a seed)."
    )
    head = ["| seed | α | alone, % | out of the supernet, % | difference, points |", "|---|---|---|---|---|"]
    table = "\n".join([setting, "", *head, *rows, "", summary, ""])
    sys.stdout.write(table)
    write_table("bench-supernet", table)


if __name__ == "__main__":
    main()

r"""What a teacher adds: the same student with and without it, from the same seeds, for as many steps.

Few images have labels; the teacher, which was trained on all labels, also says something of the others.

    make bench-distil                        digits with few images: minutes
    python tests/benchmarks/bench_distil.py runs/bench-distil --data ../shared/data/cifar10 --images 5000 \
        --teacher-epochs 24 --epochs 24 --stem-stride 1

Stopped, it goes on where it was. The table goes into docs/training.md.
"""

import argparse
import dataclasses
import statistics
import sys
from pathlib import Path

from scipy import stats
from tests.benchmarks.training_trials import Trial, Trials, write_table

from mobisdk.accuracy import wilson_interval
from mobisdk.data import open_dataset


def main() -> None:
    """Train, and print and keep the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--images", type=int, default=140, help="with labels, for the student")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=24, help="of all images")
    parser.add_argument("--teacher-alpha", type=float, default=0.5)
    parser.add_argument("--teacher-epochs", type=int, default=16)
    parser.add_argument("--alpha", type=float, default=0.25)
    parser.add_argument("--stem-stride", type=int, default=2)
    parser.add_argument("--temperature", type=float, default=4.0)
    parser.add_argument("--mix", type=float, default=0.9)
    options = parser.parse_args()
    trials = Trials(options.folder)
    teacher = Trial(options.data, options.teacher_alpha, options.teacher_epochs, 0, options.stem_stride)
    taught_by = trials.run(teacher)
    count = len(open_dataset(options.data).train)
    alone = [
        Trial(
            options.data,
            options.alpha,
            round(options.epochs * count / options.images),
            seed,
            options.stem_stride,
            options.images,
        )
        for seed in range(options.seeds)
    ]
    rows, gains = [], []
    for trial in alone:
        taught = dataclasses.replace(
            trial,
            epochs=options.epochs,
            unlabelled=options.images < count,
            teacher=str(trials.checkpoint(teacher)),
            temperature=options.temperature,
            mix=options.mix,
        )
        without, having = trials.run(trial), trials.run(taught)
        gains.append(100 * (having["accuracy"] - without["accuracy"]))
        rows.append(f"| {trial.seed} | {show(without)} | {show(having)} | {gains[-1]:+.1f} |")
    mean, reach = statistics.mean(gains), 0.0
    if len(gains) > 1:
        reach = float(stats.t.ppf(0.975, len(gains) - 1)) * statistics.stdev(gains) / len(gains) ** 0.5
    setting = (
        f"MobileNetV1 {options.alpha:g} at 32×32, stem stride {options.stem_stride}, {Path(options.data).name}: "
        f"{options.images:,} training images have labels; the other {count - options.images:,} are shown only with a "
        f"teacher. {options.epochs} epochs of all images, or as many steps. Teacher: α = {options.teacher_alpha:g}, "
        f"all labels, {options.teacher_epochs} epochs, {show(taught_by)} %; temperature {options.temperature:g}, "
        f"mix {options.mix:g}."
    )
    interval = f"95 % t interval over seeds {mean - reach:+.1f} to {mean + reach:+.1f}"
    head = ["| seed | without, % | with a teacher, % | gain, points |", "|---|---|---|---|"]
    table = "\n".join([setting, "", *head, *rows, f"| mean | | | {mean:+.1f} ({interval}) |", ""])
    sys.stdout.write(table)
    write_table("bench-distil", table)


def show(line: dict[str, float]) -> str:
    """The accuracy and its 95 % interval over the held-out images."""
    low, high = wilson_interval(int(line["correct"]), int(line["tested"]))
    return f"{100 * line['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


if __name__ == "__main__":
    main()

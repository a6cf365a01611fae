"""`mobisdk choose`: from a budget to a network, and the commands to type."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobisdk.cli.console import Json, print_json, say, stdout
from mobisdk.cli.predict import LogsOption
from mobisdk.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mobisdk.latency.analysis import AnalysisReport
    from mobisdk.latency.choose import Budget, Candidate, Choice
    from mobisdk.latency.known_accuracy import KnownAccuracy
    from mobisdk.latency.observations import Observation, Setting

_DATA = "DATA"


def choose(
    device: Annotated[list[str], typer.Option(help="A part of the device's name; may be repeated.")],
    max_latency_ms: Annotated[float, typer.Option(help="The budget.")],
    percentile: Annotated[float, typer.Option(help="Of the latency: 50 is the median.")] = 50.0,
    max_size_mb: Annotated[float | None, typer.Option(help="Most megabytes of weights.")] = None,
    min_accuracy: Annotated[float | None, typer.Option(help="Least share of images named right: 0.7 or 70.")] = None,
    sustained: Annotated[bool, typer.Option("--sustained", help="The latency of a phone at work for a while.")] = False,
    each: Annotated[bool, typer.Option("--each", help="A network for each device, not one for all.")] = False,
    recipe: Annotated[
        list[str] | None, typer.Option(help="Recipes to choose among.  [default: all that were measured there]")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Thread count.  [default: the one measured most]")] = None,
    accuracy: Annotated[
        list[Path] | None,
        typer.Option(
            help="CSV of arch, alpha, resolution, accuracy[, recipe], or what `evaluate --json` printed; may be "
            "repeated.  [default: the trainings in --runs]",
            metavar="FILE",
        ),
    ] = None,
    runs: Annotated[Path, typer.Option("--runs", help="Folder where `mobisdk train` left its runs.")] = Path("runs"),
    logs: LogsOption = None,
    chart: Annotated[
        Path | None, typer.Option(help="Draw accuracy against latency: .svg or .png.", metavar="FILE")
    ] = None,
    json: Json = False,
) -> None:
    """Choose the most accurate network that meets a budget.

    Of latency and size; exit 1 where none does.
    Latency is as measured where it was, and predicted with its interval elsewhere; each recipe has its own accuracy.
    """
    from mobisdk.cli.analyze import tell_set_aside
    from mobisdk.cli.logs_argument import read_runs
    from mobisdk.latency.choose import Budget, choose_network, estimate_size_mb, list_candidates
    from mobisdk.latency.in_memory import analyze_runs
    from mobisdk.latency.known_accuracy import AccuracyBook
    from mobisdk.latency.observations import observe_report
    from mobisdk.report.choice import to_document

    share = min_accuracy / 100 if min_accuracy is not None and min_accuracy > 1 else min_accuracy
    budget = Budget(max_latency_ms, percentile, max_size_mb, share, sustained)
    if chart is not None:
        _check_chart(chart)
    report = analyze_runs(read_runs(logs or ["latency.jsonl"]))
    tell_set_aside(report.set_aside)
    observations = observe_report(report, "sustained" if sustained else "burst")
    settings = [_base_setting(observations, name, threads) for name in dict.fromkeys(device)]
    known, data = _read_accuracy(accuracy or [], runs, report, observations)
    book = AccuracyBook(known)
    choices = []
    for group in [[setting] for setting in settings] if each else [settings]:
        recipes = recipe or _measured_recipes(observations, group)
        candidates, unknown = list_candidates(report, group, book, budget, recipes, estimate_size_mb)
        choices.append((group, choose_network(candidates, budget, unknown), candidates))
    if chart is not None:
        _draw(choices[0][1], choices[0][2], budget, chart)
    if json:
        documents = [
            {"devices": [setting.device for setting in group]} | to_document(choice, budget, data)
            for group, choice, _ in choices
        ]
        print_json({"schema": documents[0]["schema"], "choices": documents} if each else documents[0])
    else:
        for group, choice, _ in choices:
            _show(group, choice, budget, data)
    if any(choice.winner is None for _, choice, _ in choices):
        raise typer.Exit(1)


def _base_setting(observations: "Sequence[Observation]", device: str, threads: int | None) -> "Setting":
    """The device's setting with the most networks; its recipe is replaced by each that is looked at."""
    from collections import Counter

    from mobisdk.cli.settings import select_device
    from mobisdk.errors import DataError

    name = select_device(observations, device)
    here = Counter(o.setting for o in observations if o.setting.device == name and threads in (None, o.setting.threads))
    if not here:
        counts = sorted({str(o.setting.threads or "auto") for o in observations if o.setting.device == name})
        raise DataError("--threads must be a count that was measured", got=threads, allowed=", ".join(counts))
    return here.most_common(1)[0][0]


def _measured_recipes(observations: "Sequence[Observation]", settings: "Sequence[Setting]") -> list[str]:
    """Recipes that every one of the devices was measured in."""
    per_device = [{o.setting.recipe for o in observations if o.setting.device == s.device} for s in settings]
    shared = sorted(set.intersection(*per_device))
    if not shared:
        raise ConfigError(
            "no recipe was measured on every device", got=[sorted(recipes) for recipes in per_device],
            hint="Choose with --each, or name one with --recipe",
        )  # fmt: skip
    return shared


def _read_accuracy(
    files: "Sequence[Path]", runs: Path, report: "AnalysisReport", observations: "Sequence[Observation]"
) -> "tuple[list[KnownAccuracy], str]":
    """What is known of accuracy, and what to train on."""
    from mobisdk.latency.known_accuracy import read_accuracy_table

    if not files:
        return _read_workspace(runs)
    known: list[KnownAccuracy] = []
    documents = [path for path in files if path.suffix == ".json"]
    for path in files:
        if path not in documents:
            known.extend(_as_measured(read_accuracy_table(path), observations))
    known.extend(_join_evaluations(documents, report))
    return known, _DATA


def _as_measured(known: "Sequence[KnownAccuracy]", observations: "Sequence[Observation]") -> "Iterator[KnownAccuracy]":
    """A table names three dials: what else makes a network is as in the logs, where those agree."""
    import dataclasses

    from mobisdk.latency.known_accuracy import family

    families = {o.spec.arch: {family(p.spec) for p in observations if p.spec.arch == o.spec.arch} for o in observations}
    for each in known:
        candidates = families.get(each.spec.arch, set())
        like = next(iter(candidates)) if len(candidates) == 1 else each.spec
        spec = dataclasses.replace(like, alpha=each.spec.alpha, resolution=each.spec.resolution)
        yield dataclasses.replace(each, spec=spec)


def _join_evaluations(documents: "Sequence[Path]", report: "AnalysisReport") -> "Iterator[KnownAccuracy]":
    from mobisdk.latency.known_accuracy import KnownAccuracy
    from mobisdk.latency.observations import measured
    from mobisdk.report.accuracy import read_accuracies

    by_variant = {group.bundle.variant_id: (spec, group.bundle.recipe) for group, spec, _ in measured(report, "burst")}
    accuracies = read_accuracies(documents)
    for variant_id, accuracy in accuracies.items():
        if variant_id in by_variant:
            yield KnownAccuracy(*by_variant[variant_id], accuracy.share, accuracy.source)
    missing = len(accuracies.keys() - by_variant.keys())
    if missing:
        say(f"{missing} of {len(accuracies)} accuracies are of variants that these logs have no latency of")


def _read_workspace(runs: Path) -> "tuple[list[KnownAccuracy], str]":
    """The trainings of the data that was trained on last, and that data."""
    from mobisdk.cli.comparable_runs import list_comparable_runs
    from mobisdk.latency.known_accuracy import KnownAccuracy

    same = list_comparable_runs(runs)
    known = {run.plan.model: KnownAccuracy(run.plan.model, None, run.metrics[-1]["accuracy"], run.name) for run in same}
    return list(known.values()), same[-1].plan.data


def _show(group: "Sequence[Setting]", choice: "Choice", budget: "Budget", data: str) -> None:
    from mobisdk.report.choice import build_choice_table, commands_to_measure, commands_to_ship, explain_choice
    from mobisdk.report.printable import printable

    for setting in group:
        stdout().print(printable(setting.device), style="bold", markup=False)
    stdout().print(build_choice_table(choice), "")
    for sentence in explain_choice(choice, budget):
        stdout().print(printable(sentence), markup=False)
        if sentence.startswith("To be surer"):
            for candidate in choice.to_measure:
                print("  " + "\n  ".join(commands_to_measure(candidate)))
    if choice.winner is not None:
        stdout().print("Next:", markup=False)
        print("  " + "\n  ".join(commands_to_ship(choice.winner, data)))


def _check_chart(chart: Path) -> None:
    from mobisdk.report.charts.picture import FORMATS

    if chart.suffix not in FORMATS:
        raise ConfigError("--chart must name a picture", got=str(chart), allowed=", ".join(FORMATS))


def _draw(choice: "Choice", candidates: "Sequence[Candidate]", budget: "Budget", chart: Path) -> None:
    from mobisdk.files import write_atomically
    from mobisdk.report.charts.budget import budget_points, draw_budget
    from mobisdk.report.charts.picture import draw_picture

    write_atomically(chart, draw_picture(draw_budget(budget_points(choice, candidates), budget), chart.suffix))
    say(f"Chart: {chart}")

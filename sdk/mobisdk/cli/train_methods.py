"""What `mobisdk train` is told of a teacher and of a supernet, and what it says of them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.errors import ConfigError
from mobisdk.specs import SupernetSpec

if TYPE_CHECKING:
    from mobisdk.training import RunSummary
    from mobisdk.training.distillation_spec import DistillationSpec

Teacher = Annotated[
    str | None,
    typer.Option(help="Learn from this network's answers too: a checkpoint, FILE.safetensors or hf://owner/name."),
]
Temperature = Annotated[
    float | None, typer.Option(help="With --teacher: the higher, the more its doubts count.  [default: 4]")
]
DistillMix = Annotated[
    float | None, typer.Option(help="With --teacher: its share of the loss, the labels have the rest.  [default: 0.9]")
]
Unlabelled = Annotated[
    Path | None, typer.Option(help="With --teacher: a folder of images that only the teacher says something of.")
]
Supernet = Annotated[
    bool, typer.Option("--supernet", help="Train every width at once; `export --alpha` then cuts out any of them.")
]
Alphas = Annotated[
    str | None, typer.Option(help="With --supernet: the narrowest and the widest network.  [default: 0.25..1.0]")
]
Resolutions = Annotated[
    str | None, typer.Option(help="With --supernet: several, as 96,128.  [default: the one of --resolution]")
]


def read_distillation(
    teacher: str | None, temperature: float | None, mix: float | None, unlabelled: Path | None
) -> "DistillationSpec | None":
    """What the options about a teacher say; None where there is none.

    Raises:
        ConfigError: a value is outside what is allowed, or an option lacks its --teacher.
    """
    from mobisdk.training.distillation_spec import DistillationSpec

    given: dict[str, Any] = {
        "temperature": temperature,
        "mix": mix,
        "unlabelled": None if unlabelled is None else str(unlabelled),
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if teacher is None:
        if chosen:
            raise ConfigError("these need a teacher", got=sorted(chosen), hint="Name one with --teacher")
        return None
    return DistillationSpec(teacher, **chosen)


def read_supernet(
    chosen: bool, alphas: str | None, resolutions: str | None, network: dict[str, Any]
) -> SupernetSpec | None:
    """What the options about a supernet say; `network` then gets its largest α and resolution.

    Raises:
        ConfigError: a value is outside what is allowed, an option lacks its --supernet, or --alpha or --resolution say
            the same in other words.
    """
    if not chosen:
        if alphas is not None or resolutions is not None:
            raise ConfigError("--alphas and --resolutions are a supernet's", hint="Give --supernet, or one --alpha")
        return None
    if "alpha" in network:
        raise ConfigError("a supernet has many widths", got=network["alpha"], hint="Give --alphas in place of --alpha")
    sizes = None if resolutions is None else _read_numbers("--resolutions", resolutions, ",", int)
    if sizes and "resolution" in network:
        raise ConfigError("--resolution and --resolutions exclude each other", hint="Give one of them")
    low_high = SupernetSpec().alphas if alphas is None else _read_numbers("--alphas", alphas, "..", float)
    supernet = SupernetSpec(low_high, sizes or ())
    network["alpha"] = supernet.alphas[1]
    if supernet.resolutions:
        network["resolution"] = supernet.resolutions[-1]
    return supernet


def explain_methods(run: "RunSummary") -> Iterator[str]:
    """Sentences for a person about what is special in this training."""
    if run.plan.distillation is not None and run.teaching is not None:
        teacher, unlabelled = run.teaching["teacher"], run.teaching["unlabelled"]
        kept = teacher["answers"] == "kept"
        how = (
            "its answers are computed once and kept"
            if kept
            else "its answers are computed at every step, since images are varied from epoch to epoch"
        )
        yield (
            f"Teacher: {run.plan.distillation.teacher} ({teacher['name']}), temperature "
            f"{run.plan.distillation.temperature:g}, {run.plan.distillation.mix:.0%} of the loss; {how}."
        )
        if unlabelled:
            left_out = f"; {unlabelled['left_out']:,} copies were left out" if unlabelled["left_out"] else ""
            yield f"Unlabelled images: {unlabelled['images']:,}{left_out}."
    if run.plan.supernet is not None:
        low, high = run.plan.supernet.alphas
        sizes = ", ".join(map(str, run.plan.supernet.resolutions))
        yield f"Supernet: every α from {low:g} to {high:g}, at {sizes} pixels."


def list_widths(widths: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line for each network of a supernet that was tested, as `α 0.25 at 32: 97.2 % …`."""
    return [
        f"α {line['alpha']:g} at {line['resolution']}: {line['accuracy']:.1%} of held-out images right "
        f"(95 % interval {line['accuracy_interval'][0]:.1%} to {line['accuracy_interval'][1]:.1%})"
        for line in widths
    ]


def _read_numbers(option: str, text: str, separator: str, kind: type) -> tuple[Any, ...]:
    try:
        return tuple(kind(part) for part in text.split(separator))
    except ValueError as error:
        example = "0.25..1.0" if separator == ".." else "96,128"
        raise ConfigError(f"{option} cannot be read", got=text, hint=f"Try {option} {example}") from error

"""`mobisdk compress`: a checkpoint in, a smaller one out."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.console import Json, print_json, progress, say, stdout
from mobisdk.errors import ConfigError

if TYPE_CHECKING:
    from mobisdk.compression import TechniqueConfig
    from mobisdk.training.compressed import CompressedRun
    from mobisdk.training.progress import TrainProgress


def compress(
    checkpoint: Annotated[Path, typer.Argument(help="A trained network, as `mobisdk train` leaves it.")],
    method: Annotated[
        str, typer.Option(help="A technique, or several one after the other: prune,low_rank.", show_default=False)
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting: sparsity=0.9, or prune.sparsity=0.9.", metavar="NAME=VALUE"),
    ] = None,
    layers: Annotated[str | None, typer.Option(help="Only these layers, comma-separated.  [default: all]")] = None,
    target_size_mb: Annotated[
        float | None, typer.Option(help="Sensitivity decides each layer's setting: weights of so many MB.")
    ] = None,
    target_macs: Annotated[
        float | None, typer.Option(help="The same: at most so many multiply-adds, such as 150e6.")
    ] = None,
    max_drop: Annotated[
        float | None, typer.Option(help="The same: at most so many points of accuracy lost, before fine-tuning.")
    ] = None,
    finetune_epochs: Annotated[int, typer.Option(help="Train so long behind each technique.")] = 0,
    lr: Annotated[float | None, typer.Option(help="Highest learning rate of it.  [default: by the data]")] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Weights to learn from.  [default: the uncompressed network]")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="digits, a folder of class folders, or Parquet.  [default: the checkpoint's]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the fine-tuning.")] = 0,
    name: Annotated[str | None, typer.Option(help="Of the folder.  [default: the checkpoint's run and method]")] = None,
    runs: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs"),
    json: Json = False,
) -> None:
    """Make a trained network smaller.

    By pruning, factors, shared weights or few bits; with a table of what each layer became, and a checkpoint that
    trains, exports and compresses again.
    """
    from mobisdk.compression.targets import Target
    from mobisdk.training.compressed import compress_checkpoint
    from mobisdk.training.compression_work import CompressionPlan

    totals = {
        "size_bytes": None if target_size_mb is None else round(target_size_mb * 1e6),
        "macs": None if target_macs is None else round(target_macs),
        "max_drop": max_drop,
    }
    plan = CompressionPlan(
        build_configs(method, settings or (), layers),
        Target(**totals) if any(value is not None for value in totals.values()) else None,  # type: ignore[arg-type]
        data,
        finetune_epochs,
        lr,
        teacher,
        seed,
    )
    with progress() as bar:
        task = bar.add_task("Loading", total=None)

        def show_epoch(now: "TrainProgress") -> None:
            done = (now.epoch - 1) * now.steps + now.step
            bar.update(task, description="Fine-tuning", completed=done, total=now.epochs * now.steps)

        run = compress_checkpoint(
            checkpoint,
            plan,
            runs=runs,
            name=name,
            on_step=lambda step: bar.update(task, description=step, completed=0, total=None),
            on_layer=lambda done, total: bar.update(task, completed=done, total=total),
            on_progress=show_epoch,
        )
    if json:
        print_json({"folder": str(run.folder), "checkpoint": str(run.checkpoint), **run.document})
    else:
        _print_report(run)
    say(f"Next: mobisdk export --target android --checkpoint {run.checkpoint}")


def build_configs(method: str, settings: Sequence[str], layers: str | None) -> "tuple[TechniqueConfig, ...]":
    """The techniques' configs, from what a user types.

    Raises:
        ConfigError: a technique or a setting is unknown, or a value is of the wrong kind.
    """
    from mobisdk.compression import find_technique

    methods = [name.strip() for name in method.split(",")]
    classes = {name: find_technique(name).config for name in methods}
    values: dict[str, dict[str, Any]] = {name: {} for name in methods}
    for setting in settings:
        key, given, text = setting.partition("=")
        owner, _, field = key.rpartition(".")
        owners = [name for name in methods if (name == owner if owner else field in _fields(classes[name]))]
        if not given or not owners or field not in _fields(classes[owners[0]]):
            every = [f"{name}.{known}" for name in methods for known in _fields(classes[name])]
            raise ConfigError(
                "--set does not name a setting of these techniques", got=setting, allowed=", ".join(every)
            )
        for name in owners:
            values[name][field] = _parse(setting, text, _fields(classes[name])[field])
    if layers is not None:
        for name in methods:
            values[name]["layers"] = tuple(layers.split(","))
    return tuple(classes[name](**values[name]) for name in methods)


def _fields(config: "type[TechniqueConfig]") -> Mapping[str, Any]:
    hints = typing.get_type_hints(config)
    return {field.name: hints[field.name] for field in dataclasses.fields(config) if field.name != "layers"}


def _parse(setting: str, text: str, kind: Any) -> Any:
    """A value of one of the kinds that a field may have."""
    kinds = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    for one in kinds:
        if one is bool and text in ("true", "false"):
            return text == "true"
        if one in (int, float):
            try:
                return one(text)
            except ValueError:
                continue
        if one is str or typing.get_origin(one) is typing.Literal:
            return text
    allowed = " or ".join(getattr(one, "__name__", str(one)) for one in kinds if one is not types.NoneType)
    raise ConfigError("the value of a setting is of another kind", got=setting, allowed=allowed)


def _print_report(run: "CompressedRun") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mobisdk.training.compressed import PACKED

    document = run.document
    for step in document["steps"]:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=Text(step["method"]), title_justify="left")
        for column in ("layer", "became"):
            table.add_column(column, overflow="fold")
        for column in ("params", "multiply-adds", "bits"):
            table.add_column(column, justify="right")
        for change in step["changed"]:
            table.add_row(
                Text(change["name"]),
                Text(change["done"]),
                f"{change['params_before']:,} → {change['params_after']:,}",
                f"{change['macs_before']:,} → {change['macs_after']:,}",
                f"{change['bits_per_weight']:.3g}",
            )
        for skipped in step["skipped"]:
            table.add_row(Text(skipped["name"]), Text(f"left alone: {skipped['reason']}"), "–", "–", "–")
        stdout().print(table)
    print(
        f"Multiply-adds {document['macs_before']:,} → {document['macs_after']:,}, "
        f"parameters {document['params_before']:,} → {document['params_after']:,}, "
        f"weights {document['size_bytes_before'] / 1e6:.2f} → {document['size_bytes_after'] / 1e6:.2f} MB"
    )
    if document["tested"]:
        before, after = (document[f"correct_{when}"] / document["tested"] for when in ("before", "after"))
        print(f"{before:.1%} → {after:.1%} of {document['tested']:,} held-out images right")
    if "packed" in document:
        packed, layers = document["packed"], document["packed"]["layers"]
        paper, coded = (sum(layer[figure] for layer in layers) for figure in ("paper_bytes", "size_bytes"))
        print(
            f"Packed: {packed['size_bytes']:,} bytes; shared weights take {coded:,} of them, "
            f"{paper:,} before Huffman coding by the paper's account"
        )
        print(run.checkpoint.with_name(PACKED))
    print(run.checkpoint)

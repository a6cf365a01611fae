"""`mobisdk export`: a network in, one bundle for each α, ρ and recipe out."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.console import Json, print_json, progress, say, stdout
from mobisdk.cli.lists import split_list
from mobisdk.cli.recipes import print_recipes
from mobisdk.cli.train_options import WidthDivisor
from mobisdk.cli.verify import LEAST_DELEGATED
from mobisdk.cli.weights import import_weights
from mobisdk.errors import ConfigError
from mobisdk.specs import ModelSpec

if TYPE_CHECKING:
    from mobisdk.bundle import Bundle
    from mobisdk.cli.grid import ExportJob


def export(
    target: Annotated[str | None, typer.Option(help="android or ios.  [required]", show_default=False)] = None,
    arch: Annotated[
        str | None, typer.Option(help="Architecture; see `mobisdk models list`.  [default: mobilenet_v1]")
    ] = None,
    alpha: Annotated[
        str | None, typer.Option(help="Width multiplier, 0 < α ≤ 2; a list such as 0.25,0.5 is a grid.  [default: 1.0]")
    ] = None,
    resolution: Annotated[
        str | None, typer.Option(help="Input height and width in pixels; a list is a grid.  [default: 224]")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Backend and precision; a list is a grid.  [default: the target's first]")
    ] = None,
    num_classes: Annotated[int | None, typer.Option(help="Classes of an untrained network.  [default: 1000]")] = None,
    stem_stride: Annotated[
        int | None, typer.Option(help="Stride of the first convolution: 1 for small images.  [default: 2]")
    ] = None,
    width_divisor: WidthDivisor = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Trained weights: .safetensors, or a run's name.  [default: the newest run that fits]"),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Published weights: FILE.safetensors or hf://owner/name; see `mobisdk weights`.")
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            help="Images for lossy recipes: digits, a folder of class folders, or Parquet.  "
            "[default: what the checkpoint was trained on]"
        ),
    ] = None,
    calibration_images: Annotated[
        int, typer.Option(help="How many training images to measure ranges of activations on.")
    ] = 256,
    max_drop: Annotated[
        float, typer.Option(help="Points of top-1 on held-out images that a lossy recipe may cost.")
    ] = 1.0,
    keep_anyway: Annotated[
        bool, typer.Option("--keep-anyway", help="Keep a bundle that lost more, and mark its manifest.")
    ] = False,
    min_delegated: Annotated[
        float | None,
        typer.Option(
            help="Refuse where the backend takes a smaller share of multiply-adds.  [default: warn below 0.99]"
        ),
    ] = None,
    list_recipes: Annotated[
        bool, typer.Option("--list-recipes", help="Show every recipe with what it needs and promises, and stop.")
    ] = False,
    untrained: Annotated[
        bool,
        typer.Option("--untrained", help="Random weights, even where a run fits: latency does not depend on them."),
    ] = False,
    output: Annotated[Path, typer.Option(help="Folder for the bundles.")] = Path("bundles"),
    runs: Annotated[Path, typer.Option(help="Folder where `mobisdk train` left its runs.")] = Path("runs"),
    json: Json = False,
) -> None:
    """Export bundles that a phone can run.

    Each is compared with its network on photographs before it appears.
    """
    from mobiconvert import find_recipe
    from mobisdk.cli.grid import ExportJob, ExportSettings
    from mobisdk.training.runs import CHECKPOINT, newest_checkpoint

    if list_recipes:
        print_recipes(json)
        return
    if target is None:
        raise typer.BadParameter("give android or ios", param_hint="--target")
    if sum(map(bool, (untrained, checkpoint, weights))) > 1:
        raise ConfigError("--untrained, --checkpoint and --weights exclude each other", hint="Give one of them")
    recipes = [find_recipe(name, target) for name in split_list("recipe", recipe, str)] or [find_recipe(None, target)]
    single = {"arch": arch, "num_classes": num_classes, "stem_stride": stem_stride, "width_divisor": width_divisor}
    given = {field: value for field, value in single.items() if value is not None}
    grid: list[dict[str, Any]] = [
        {**given, **dict(point)}
        for point in itertools.product(
            *(
                [(field, value) for value in values]
                for field, values in (
                    ("alpha", split_list("alpha", alpha, float)),
                    ("resolution", split_list("resolution", resolution, int)),
                )
                if values
            )
        )
    ]
    specs = [ModelSpec(**wanted) for wanted in grid]
    if weights:
        if len(specs) > 1:
            raise ConfigError("published weights are of one network", got=f"a grid of {len(specs)}", allowed="one")
        checkpoint = import_weights(weights, specs[0], runs / ".cache" / "weights")
    elif checkpoint and (runs / checkpoint / CHECKPOINT).exists():
        checkpoint = runs / checkpoint / CHECKPOINT
    settings = ExportSettings(output, calibration, calibration_images, max_drop, keep_anyway, min_delegated)
    jobs = [
        ExportJob(wanted, trained, recipe, settings)
        for wanted, trained in [
            (wanted, checkpoint or (None if untrained else newest_checkpoint(runs, spec)))
            for wanted, spec in zip(grid, specs, strict=True)
        ]
        for recipe in recipes
    ]
    bundles = _export(jobs, specs, output)
    _warn(bundles, min_delegated)
    if json:
        print_json([summarize_bundle(bundle) for bundle in bundles])
    else:
        _print_table(bundles)
        say(f"Next: mobisdk verify {bundles[0].path}")


def _export(jobs: Sequence["ExportJob"], specs: Sequence[ModelSpec], output: Path) -> list["Bundle"]:
    """Make what is not there yet, with a progress bar; where the weights come from is said."""
    from mobisdk.bundle import verify_files
    from mobisdk.cli.grid import export_jobs, find_exported, hash_request

    there = find_exported(output)
    bundles = {job: there[request] for job in jobs if (request := hash_request(job)) in there}
    for bundle in bundles.values():
        verify_files(bundle)
    missing = [job for job in jobs if job not in bundles]
    if bundles:
        say(f"{len(bundles)} of {len(jobs)} bundles are there already, made of the same request and whole.")
    if missing:
        _check_specs(specs)
        _say_weights(missing)
        with progress() as bar:
            task = bar.add_task("Exporting", total=len(missing))
            for job, bundle in export_jobs(missing):
                bundles[job] = bundle
                bar.update(task, advance=1, description=f"Exported {job.name}")
    return [bundles[job] for job in jobs]


def _say_weights(jobs: Sequence["ExportJob"]) -> None:
    for name, checkpoint in dict.fromkeys((ModelSpec(**job.wanted).name, job.checkpoint) for job in jobs):
        said = f"the weights of {checkpoint}" if checkpoint else "untrained weights, good for latency, not for labels"
        say(f"{name}: {said}.")


def _warn(bundles: Sequence["Bundle"], min_delegated: float | None) -> None:
    """Say what a person should know before shipping any of them."""
    for bundle in bundles:
        held_out = bundle.manifest["parity"].get("held_out")
        if held_out and held_out["kept_anyway"]:
            say(
                f"Warning: {bundle.name} names {held_out['artefact_top1']:.1%} of {held_out['images']} held-out images "
                f"right, its network {held_out['network_top1']:.1%}; it was kept anyway, and its manifest says so."
            )
        if min_delegated is None and bundle.delegated_share < LEAST_DELEGATED and bundle.target.backend != "portable":
            say(
                f"Warning: {bundle.target.backend} takes only {bundle.delegated_share:.1%} of {bundle.name}'s "
                "multiply-adds; it will be slower than it could be. `mobisdk verify` names what is left."
            )


def summarize_bundle(bundle: "Bundle") -> dict[str, Any]:
    """What a person asks first of a bundle, as JSON."""
    manifest = bundle.manifest
    model = manifest["model"]
    return {
        "path": str(bundle.path),
        "bundle_id": manifest["bundle_id"],
        "variant_id": manifest["variant_id"],
        **{field: model[field] for field in ("arch", "alpha", "resolution", "num_classes", "params", "macs")},
        "recipe": manifest["target"]["recipe"],
        "weights_source": model["weights"]["source"],
        "model_bytes": bundle.size_bytes,
        "delegation": manifest["delegation"],
        "parity": manifest["parity"],
    }


def _check_specs(specs: Sequence[ModelSpec]) -> None:
    """Refuse what cannot be built before anything is: on the meta device that costs nothing."""
    import torch

    from mobisdk.models import create_model

    with torch.device("meta"):
        for spec in specs:
            create_model(spec)


def _print_table(bundles: Sequence["Bundle"]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("network", no_wrap=True)
    table.add_column("recipe", no_wrap=True)
    for column in ("params\nM", "macs\nM", "size\nMB", "taken\n%", "SQNR\ndB"):
        table.add_column(column, justify="right")
    for bundle in bundles:
        model = bundle.manifest["model"]
        table.add_row(
            f"{model['arch']} {model['alpha']:g} at {model['resolution']}",
            bundle.target.recipe,
            f"{model['params'] / 1e6:.2f}",
            f"{model['macs'] / 1e6:.1f}",
            f"{bundle.size_bytes / 1e6:.2f}",
            f"{bundle.delegated_share:.0%}".rstrip("%"),
            f"{bundle.manifest['parity']['sqnr_db']:.0f}",
        )
    stdout().print(table)
    for bundle in bundles:
        stdout().print(str(bundle.path), markup=False, soft_wrap=True)

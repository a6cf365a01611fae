"""`mobisdk export`: a network in, one bundle for each α, ρ and recipe out."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mobisdk.cli.console import Json, print_json, progress, say, stdout
from mobisdk.cli.networks import Network, convert_network, create_untrained_network, load_trained_network
from mobisdk.errors import ConfigError
from mobisdk.specs import ModelSpec

if TYPE_CHECKING:
    from mobiconvert import Recipe
    from mobisdk.bundle import Bundle

Value = TypeVar("Value", int, float, str)


def export(
    target: Annotated[str, typer.Option(help="android or ios.")],
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
    width_divisor: Annotated[
        int | None, typer.Option(help="Channels are a multiple of this; 8 is what hardware likes.  [default: 1]")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Trained weights, .safetensors.  [default: the newest run that fits]")
    ] = None,
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

    if untrained and checkpoint:
        raise ConfigError("--untrained and --checkpoint exclude each other", hint="Give one of them")
    recipes = [find_recipe(name, target) for name in _split("recipe", recipe, str)] or [find_recipe(None, target)]
    single = {"arch": arch, "num_classes": num_classes, "stem_stride": stem_stride, "width_divisor": width_divisor}
    given = {field: value for field, value in single.items() if value is not None}
    grid = [
        {**given, **dict(point)}
        for point in itertools.product(
            *(
                [(field, value) for value in values]
                for field, values in (
                    ("alpha", _split("alpha", alpha, float)),
                    ("resolution", _split("resolution", resolution, int)),
                )
                if values
            )
        )
    ]
    _check_specs(grid)
    networks = (_choose_network(wanted, checkpoint, None if untrained else runs) for wanted in grid)
    bundles = list(_export_grid(networks, len(grid), recipes, output))
    if json:
        print_json([summarize_bundle(bundle) for bundle in bundles])
    else:
        _print_table(bundles)
        say(f"Next: mobisdk verify {bundles[0].path}")


def _export_grid(
    networks: Iterator[Network], count: int, recipes: Sequence["Recipe"], output: Path
) -> Iterator["Bundle"]:
    """Convert each network by each recipe, with a progress bar; where the weights come from is said."""
    with progress() as bar:
        task = bar.add_task("Exporting", total=count * len(recipes))
        for network in networks:
            origin = network.weights.detail
            untrained = network.weights.source == "random"
            said = "untrained weights, good for latency, not for labels" if untrained else f"the weights of {origin}"
            bar.console.print(f"{network.spec.name}: {said}.", markup=False)
            for recipe in recipes:
                bar.update(task, description=f"Exporting {network.spec.name} as {recipe.name}")
                yield convert_network(network, recipe, output)
                bar.advance(task)


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


def _split(name: str, text: str | None, kind: type[Value]) -> list[Value]:
    """Read a comma list; nothing given is an empty list.

    Raises:
        ConfigError: an item is not of that kind, or is empty.
    """
    values = []
    for item in text.split(",") if text is not None else []:
        try:
            values.append(kind(item.strip()))
        except ValueError as exc:
            raise ConfigError(
                f"{name} must be a number or a comma list of numbers",
                got=item,
                hint=f"Try --{name} 128" if kind is int else f"Try --{name} 0.25,0.5",
            ) from exc
    return values


def _check_specs(grid: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what cannot be built before anything is: on the meta device that costs nothing."""
    specs = [ModelSpec(**wanted) for wanted in grid]
    import torch

    from mobisdk.models import create_model

    with torch.device("meta"):
        for spec in specs:
            create_model(spec)


def _choose_network(wanted: Mapping[str, Any], checkpoint: Path | None, runs: Path | None) -> Network:
    """The checkpoint's network; else that of the newest run with these values; else an untrained one."""
    from mobisdk.training import newest_checkpoint

    if checkpoint is None and runs is not None:
        checkpoint = newest_checkpoint(runs, ModelSpec(**wanted))
    if checkpoint is None:
        return create_untrained_network(ModelSpec(**wanted))
    return load_trained_network(checkpoint, wanted)


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

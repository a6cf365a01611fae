"""`mobisdk models`: what every architecture costs before anybody trains or measures it."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from mobisdk.cli.console import Json, print_json, stdout
from mobisdk.cli.models_chart import chart

if TYPE_CHECKING:
    from rich.table import Table

    from mobisdk.cost import Cost, LayerCost

models_app = typer.Typer(
    name="models",
    help="The architectures: parameters, multiply-adds and size.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
models_app.command()(chart)

Alpha = Annotated[float, typer.Option("--alpha", help="Width multiplier, above 0 and at most 2.")]
Resolution = Annotated[int, typer.Option("--resolution", help="Input height and width in pixels, 32 or more.")]
NumClasses = Annotated[int, typer.Option("--num-classes", help="Outputs of the classifier.")]


@models_app.command("list")
def list_architectures(
    alpha: Alpha = 1.0, resolution: Resolution = 224, num_classes: NumClasses = 1000, json: Json = False
) -> None:
    """Every architecture with its parameters, multiply-adds and size."""
    from mobisdk.cost import count_spec_cost
    from mobisdk.models import list_models
    from mobisdk.specs import ModelSpec

    spec = ModelSpec(alpha=alpha, resolution=resolution, num_classes=num_classes)
    costs = {arch: count_spec_cost(dataclasses.replace(spec, arch=arch)) for arch in list_models()}
    if json:
        models = [
            {"arch": arch, "params": cost.params, "macs": cost.macs, "size_bytes": cost.size_bytes}
            for arch, cost in costs.items()
        ]
        return print_json({"alpha": spec.alpha, "resolution": resolution, "num_classes": num_classes, "models": models})
    table = _table(
        f"α {spec.alpha:g}, {resolution}×{resolution}, {num_classes} classes",
        ("architecture",),
        ("M params", "M macs", "fp32 MB"),
    )
    for arch, cost in costs.items():
        table.add_row(arch, f"{cost.params / 1e6:.2f}", f"{cost.macs / 1e6:.1f}", f"{cost.size_bytes / 1e6:.1f}")
    return stdout().print(table)


@models_app.command("show")
def show_architecture(
    arch: Annotated[str, typer.Argument(help="A name from `mobisdk models list`.")],
    alpha: Alpha = 1.0,
    resolution: Resolution = 224,
    num_classes: NumClasses = 1000,
    json: Json = False,
) -> None:
    """One architecture layer by layer, and which kind of layer takes which share."""
    from mobisdk.cost import cost_by_kind, count_spec_cost
    from mobisdk.specs import ModelSpec

    spec = ModelSpec(arch=arch, alpha=alpha, resolution=resolution, num_classes=num_classes)
    cost = count_spec_cost(spec)
    kinds = cost_by_kind(cost)
    if json:
        return print_json(
            {
                "spec": dataclasses.asdict(spec),
                **dataclasses.asdict(cost),
                "layers": [dataclasses.asdict(layer) | {"intensity": layer.intensity} for layer in cost.layers],
                "kinds": list(map(dataclasses.asdict, kinds)),
            }
        )
    layers = _table(spec.name, ("layer", "kind"), ("output", "params", "M macs", "fp32 kB", "macs/B"))
    for layer in cost.layers:
        output = "×".join(map(str, layer.output_shape[1:]))
        layers.add_row(layer.name, layer.kind, output, *_costs(layer), f"{layer.intensity:.1f}")
    layers.add_section()
    layers.add_row("all", "", "", *_costs(cost), "")
    shares = _table("by kind", ("kind",), ("layers", "% of macs", "% of weights"))
    for kind in kinds:
        shares.add_row(kind.kind, str(kind.layers), f"{100 * kind.macs_share:.2f}", f"{100 * kind.weights_share:.2f}")
    stdout().print(layers)
    return stdout().print(shares)


@models_app.command("paper")
def show_paper(json: Json = False) -> None:
    """The MobileNet paper's tables 4 to 9, beside what the networks here count."""
    from mobisdk.cost import count_spec_cost
    from mobisdk.models.paper import PAPER_TABLES

    specs = {row.spec for table in PAPER_TABLES for row in table.rows if row.spec is not None}
    costs = {spec: count_spec_cost(spec) for spec in specs}
    if json:
        tables = [
            {
                "table": table.number,
                "title": table.title,
                "rows": [
                    {
                        **row._asdict(),
                        "spec": dataclasses.asdict(row.spec) if row.spec else None,
                        "params": costs[row.spec].params if row.spec else None,
                        "macs": costs[row.spec].macs if row.spec else None,
                    }
                    for row in table.rows
                ],
            }
            for table in PAPER_TABLES
        ]
        return print_json({"tables": tables})
    for paper in PAPER_TABLES:
        table = _table(
            f"Table {paper.number}: {paper.title}",
            ("network",),
            ("ImageNet %", "M macs", "here", "M params", "here"),
        )
        for row in paper.rows:
            cost = costs[row.spec] if row.spec else None
            table.add_row(
                row.name,
                f"{row.accuracy:g}",
                f"{row.million_macs:g}",
                f"{cost.macs / 1e6:.1f}" if cost else "–",
                f"{row.million_params:g}",
                f"{cost.params / 1e6:.2f}" if cost else "–",
            )
        stdout().print(table)
    return None


def _costs(cost: "Cost | LayerCost") -> tuple[str, str, str]:
    return f"{cost.params:,}", f"{cost.macs / 1e6:.2f}", f"{cost.size_bytes / 1e3:.1f}"


def _table(title: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in words:
        table.add_column(column, overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table

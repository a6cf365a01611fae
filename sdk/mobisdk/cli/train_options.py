"""Options that `mobisdk train` and `mobisdk sweep` share, and `mobisdk export` in part."""

from typing import Annotated

import typer

StemStride = Annotated[
    int | None, typer.Option(help="Stride of the first convolution: 1 for small images.  [default: 2; for digits 1]")
]
WidthDivisor = Annotated[
    int | None, typer.Option(help="Channels are a multiple of this; 8 is what hardware likes.  [default: 1]")
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset", help="fast (minutes on two cores), paper (RMSprop) or strong (mixup, RandAugment, more epochs)."
    ),
]
Epochs = Annotated[int | None, typer.Option(help="How often every image is shown.  [default: by the data]")]
BatchSize = Annotated[int | None, typer.Option(help="Images a step.  [default: 128; 64 for few images]")]
Seed = Annotated[int | None, typer.Option(help="Weights, order and crops follow from it.  [default: 0]")]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="Go on without broken images.")]

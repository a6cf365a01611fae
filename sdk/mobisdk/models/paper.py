"""What the MobileNet paper printed of each network, to lay our counts beside.

Source: Howard et al. 2017 (arXiv:1704.04861), tables 4 to 9.
"""

from typing import Final, NamedTuple

from mobisdk.specs import ModelSpec


class PaperRow(NamedTuple):
    """One network of one table; ImageNet's top-1 accuracy in percent, multiply-adds and parameters in millions."""

    name: str
    spec: ModelSpec | None
    """Where this project has the network."""
    accuracy: float
    million_macs: float
    million_params: float


class PaperTable(NamedTuple):
    """One table."""

    number: int
    title: str
    rows: tuple[PaperRow, ...]


def _mobilenet(accuracy: float, macs: float, params: float, alpha: float = 1.0, resolution: int = 224) -> PaperRow:
    spec = ModelSpec(alpha=alpha, resolution=resolution)
    return PaperRow(f"MobileNet {alpha:g} at {resolution}", spec, accuracy, macs, params)


_BASE = _mobilenet(70.6, 569, 4.2)

PAPER_TABLES: Final = (
    PaperTable(
        4,
        "depthwise separable or full convolution",
        (PaperRow("Conv MobileNet", ModelSpec("mobilenet_v1_full_conv"), 71.7, 4866, 29.3), _BASE),
    ),
    PaperTable(
        5,
        "narrow or shallow",
        (
            _mobilenet(68.4, 325, 2.6, alpha=0.75),
            PaperRow("Shallow MobileNet", ModelSpec("mobilenet_v1_shallow"), 65.3, 307, 2.9),
        ),
    ),
    PaperTable(
        6,
        "width multiplier",
        (
            _BASE,
            _mobilenet(68.4, 325, 2.6, alpha=0.75),
            _mobilenet(63.7, 149, 1.3, alpha=0.5),
            _mobilenet(50.6, 41, 0.5, alpha=0.25),
        ),
    ),
    PaperTable(
        7,
        "resolution multiplier",
        (
            _BASE,
            _mobilenet(69.1, 418, 4.2, resolution=192),
            _mobilenet(67.2, 290, 4.2, resolution=160),
            _mobilenet(64.4, 186, 4.2, resolution=128),
        ),
    ),
    PaperTable(
        8,
        "beside popular networks",
        (
            _BASE,
            PaperRow("GoogleNet", None, 69.8, 1550, 6.8),
            PaperRow("VGG 16", None, 71.5, 15300, 138),
        ),
    ),
    PaperTable(
        9,
        "small, beside popular networks",
        (
            _mobilenet(60.2, 76, 1.32, alpha=0.5, resolution=160),
            PaperRow("SqueezeNet", ModelSpec("squeezenet_1_0"), 57.5, 1700, 1.25),
            PaperRow("AlexNet", None, 57.2, 720, 60),
        ),
    ),
)

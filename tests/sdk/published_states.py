"""State dicts as timm 1.0 and torchvision 0.29 name and shape them, written by hand from their definitions."""

import itertools
import zlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]


def fill(shapes: Shapes) -> dict[str, Tensor]:
    """Values that follow from each tensor's name, as large as those of a trained network."""
    state = {}
    for name, shape in shapes.items():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(1)
        elif len(shape) > 1:
            fan_in = torch.Size(shape[1:]).numel()
            state[name] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        elif name.endswith(("running_var", "weight")):
            state[name] = torch.rand(shape, generator=generator) * 0.5 + 0.75
        else:
            state[name] = torch.randn(shape, generator=generator) * 0.1
    return state


def conv(name: str, out: int, inputs: int, *kernel: int, bias: bool = False) -> Shapes:
    height, width = kernel if len(kernel) == 2 else kernel * 2
    return {f"{name}.weight": (out, inputs, height, width)} | ({f"{name}.bias": (out,)} if bias else {})


def norm(name: str, channels: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def dense(name: str, out: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (out, inputs), f"{name}.bias": (out,)}


def unit(conv_name: str, norm_name: str, out: int, inputs: int, *kernel: int) -> Shapes:
    return conv(conv_name, out, inputs, *kernel) | norm(norm_name, out)


# Expansion, channels, repeats of MobileNetV2's stages.
V2 = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))


def torchvision_mobilenet_v2() -> Shapes:
    state = unit("features.0.0", "features.0.1", 32, 3, 3)
    number, inputs = 1, 32
    for expansion, channels, repeats in V2:
        for _ in range(repeats):
            at, wide, place = f"features.{number}.conv", expansion * inputs, 0
            if expansion != 1:
                state |= unit(f"{at}.0.0", f"{at}.0.1", wide, inputs, 1)
                place = 1
            state |= unit(f"{at}.{place}.0", f"{at}.{place}.1", wide, 1, 3)
            state |= unit(f"{at}.{place + 1}", f"{at}.{place + 2}", channels, wide, 1)
            number, inputs = number + 1, channels
    return state | unit("features.18.0", "features.18.1", 1280, 320, 1) | dense("classifier.1", 1000, 1280)


def timm_mobilenetv2_100() -> Shapes:
    state = unit("conv_stem", "bn1", 32, 3, 3)
    inputs = 32
    for stage, (expansion, channels, repeats) in enumerate(V2):
        for place in range(repeats):
            at, wide = f"blocks.{stage}.{place}", expansion * inputs
            if expansion == 1:
                state |= unit(f"{at}.conv_dw", f"{at}.bn1", wide, 1, 3)
                state |= unit(f"{at}.conv_pw", f"{at}.bn2", channels, wide, 1)
            else:
                state |= unit(f"{at}.conv_pw", f"{at}.bn1", wide, inputs, 1)
                state |= unit(f"{at}.conv_dw", f"{at}.bn2", wide, 1, 3)
                state |= unit(f"{at}.conv_pwl", f"{at}.bn3", channels, wide, 1)
            inputs = channels
    return state | unit("conv_head", "bn2", 1280, 320, 1) | dense("classifier", 1000, 1280)


def timm_mobilenetv1_100() -> Shapes:
    state = unit("conv_stem", "bn1", 32, 3, 3)
    inputs = 32
    for stage, (channels, repeats) in enumerate([(64, 1), (128, 2), (256, 2), (512, 6), (1024, 2)]):
        for place in range(repeats):
            at = f"blocks.{stage}.{place}"
            state |= unit(f"{at}.conv_dw", f"{at}.bn1", inputs, 1, 3)
            state |= unit(f"{at}.conv_pw", f"{at}.bn2", channels, inputs, 1)
            inputs = channels
    return state | dense("classifier", 1000, 1024)


# Stage, kernel, expanded, out, squeezed (0: no squeeze and excite).
V3_LARGE = (
    (0, 3, 16, 16, 0), (1, 3, 64, 24, 0), (1, 3, 72, 24, 0), (2, 5, 72, 40, 24), (2, 5, 120, 40, 32),
    (2, 5, 120, 40, 32), (3, 3, 240, 80, 0), (3, 3, 200, 80, 0), (3, 3, 184, 80, 0), (3, 3, 184, 80, 0),
    (4, 3, 480, 112, 120), (4, 3, 672, 112, 168), (5, 5, 672, 160, 168), (5, 5, 960, 160, 240), (5, 5, 960, 160, 240),
)  # fmt: skip
V3_SMALL = (
    (0, 3, 16, 16, 8), (1, 3, 72, 24, 0), (1, 3, 88, 24, 0), (2, 5, 96, 40, 24), (2, 5, 240, 40, 64),
    (2, 5, 240, 40, 64), (3, 5, 120, 48, 32), (3, 5, 144, 48, 40), (4, 5, 288, 96, 72), (4, 5, 576, 96, 144),
    (4, 5, 576, 96, 144),
)  # fmt: skip


def torchvision_mobilenet_v3(rows: tuple[tuple[int, ...], ...], last: int, hidden: int) -> Shapes:
    state = unit("features.0.0", "features.0.1", 16, 3, 3)
    inputs = 16
    for number, (_, kernel, wide, out, squeezed) in enumerate(rows, start=1):
        at, place = f"features.{number}.block", 0
        if wide != inputs:
            state |= unit(f"{at}.0.0", f"{at}.0.1", wide, inputs, 1)
            place = 1
        state |= unit(f"{at}.{place}.0", f"{at}.{place}.1", wide, 1, kernel)
        if squeezed:
            place += 1
            state |= conv(f"{at}.{place}.fc1", squeezed, wide, 1, bias=True)
            state |= conv(f"{at}.{place}.fc2", wide, squeezed, 1, bias=True)
        state |= unit(f"{at}.{place + 1}.0", f"{at}.{place + 1}.1", out, wide, 1)
        inputs = out
    end = f"features.{len(rows) + 1}"
    state |= unit(f"{end}.0", f"{end}.1", last, inputs, 1)
    return state | dense("classifier.0", hidden, last) | dense("classifier.3", 1000, hidden)


def timm_mobilenetv3(rows: tuple[tuple[int, ...], ...], last: int, hidden: int) -> Shapes:
    state = unit("conv_stem", "bn1", 16, 3, 3)
    inputs, places = 16, [0] * 6
    for stage, kernel, wide, out, squeezed in rows:
        at = f"blocks.{stage}.{places[stage]}"
        places[stage] += 1
        if wide == inputs:
            state |= unit(f"{at}.conv_dw", f"{at}.bn1", wide, 1, kernel)
            state |= unit(f"{at}.conv_pw", f"{at}.bn2", out, wide, 1)
        else:
            state |= unit(f"{at}.conv_pw", f"{at}.bn1", wide, inputs, 1)
            state |= unit(f"{at}.conv_dw", f"{at}.bn2", wide, 1, kernel)
            state |= unit(f"{at}.conv_pwl", f"{at}.bn3", out, wide, 1)
        if squeezed:
            state |= conv(f"{at}.se.conv_reduce", squeezed, wide, 1, bias=True)
            state |= conv(f"{at}.se.conv_expand", wide, squeezed, 1, bias=True)
        inputs = out
    end = f"blocks.{rows[-1][0] + 1}.0"
    state |= unit(f"{end}.conv", f"{end}.bn1", last, inputs, 1)
    return state | conv("conv_head", hidden, last, 1, bias=True) | dense("classifier", 1000, hidden)


# A stage's blocks: (c, kernel, out), (e, expanded, out), (u, before, within, expanded, out).
V4_SMALL = (
    (("c", 3, 32), ("c", 1, 32)),
    (("c", 3, 96), ("c", 1, 64)),
    (("u", 5, 5, 192, 96), *[("u", 0, 3, 192, 96)] * 4, ("u", 3, 0, 384, 96)),
    (("u", 3, 3, 576, 128), ("u", 5, 5, 512, 128), ("u", 0, 5, 512, 128), ("u", 0, 5, 384, 128),
     *[("u", 0, 3, 512, 128)] * 2),
)  # fmt: skip
V4_MEDIUM = (
    (("e", 128, 48),),
    (("u", 3, 5, 192, 80), ("u", 3, 3, 160, 80)),
    (("u", 3, 5, 480, 160), *[("u", 3, 3, 640, 160)] * 2, ("u", 3, 5, 640, 160), ("u", 3, 3, 640, 160),
     ("u", 3, 0, 640, 160), ("u", 0, 0, 320, 160), ("u", 3, 0, 640, 160)),
    (("u", 5, 5, 960, 256), ("u", 5, 5, 1024, 256), *[("u", 3, 5, 1024, 256)] * 2, ("u", 0, 0, 1024, 256),
     ("u", 3, 0, 1024, 256), ("u", 3, 5, 512, 256), ("u", 5, 5, 1024, 256), *[("u", 0, 0, 1024, 256)] * 2,
     ("u", 5, 0, 512, 256)),
)  # fmt: skip
V4_LARGE = (
    (("e", 96, 48),),
    (("u", 3, 5, 192, 96), ("u", 3, 3, 384, 96)),
    (("u", 3, 5, 384, 192), *[("u", 3, 3, 768, 192)] * 3, ("u", 3, 5, 768, 192), *[("u", 5, 3, 768, 192)] * 5,
     ("u", 3, 0, 768, 192)),
    (("u", 5, 5, 768, 512), *[("u", 5, 5, 2048, 512)] * 3, ("u", 5, 0, 2048, 512), ("u", 5, 3, 2048, 512),
     *[("u", 5, 0, 2048, 512)] * 2, ("u", 5, 3, 2048, 512), ("u", 5, 5, 2048, 512), *[("u", 5, 0, 2048, 512)] * 3),
)  # fmt: skip


def timm_mobilenetv4(stem: int, stages: tuple[tuple[tuple[str | int, ...], ...], ...]) -> Shapes:
    state = unit("conv_stem", "bn1", stem, 3, 3)
    inputs = stem
    for stage, blocks in enumerate(stages):
        for place, (kind, *numbers) in enumerate(blocks):
            at = f"blocks.{stage}.{place}"
            if kind == "c":
                kernel, out = map(int, numbers)
                state |= unit(f"{at}.conv", f"{at}.bn1", out, inputs, kernel)
            elif kind == "e":
                wide, out = map(int, numbers)
                state |= unit(f"{at}.conv_exp", f"{at}.bn1", wide, inputs, 3)
                state |= unit(f"{at}.conv_pwl", f"{at}.bn2", out, wide, 1)
            else:
                before, within, wide, out = map(int, numbers)
                if before:
                    state |= unit(f"{at}.dw_start.conv", f"{at}.dw_start.bn", inputs, 1, before)
                state |= unit(f"{at}.pw_exp.conv", f"{at}.pw_exp.bn", wide, inputs, 1)
                if within:
                    state |= unit(f"{at}.dw_mid.conv", f"{at}.dw_mid.bn", wide, 1, within)
                state |= unit(f"{at}.pw_proj.conv", f"{at}.pw_proj.bn", out, wide, 1)
            inputs = out
    state |= unit("blocks.4.0.conv", "blocks.4.0.bn1", 960, inputs, 1)
    return state | conv("conv_head", 1280, 960, 1) | norm("norm_head", 1280) | dense("classifier", 1000, 1280)


def torchvision_squeezenet(stem: int, kernel: int, fires: dict[int, int]) -> Shapes:
    """`fires`: place among the features → squeezed channels."""
    state = conv("features.0", stem, 3, kernel, bias=True)
    inputs = stem
    for place, squeezed in fires.items():
        state |= conv(f"features.{place}.squeeze", squeezed, inputs, 1, bias=True)
        state |= conv(f"features.{place}.expand1x1", 4 * squeezed, squeezed, 1, bias=True)
        state |= conv(f"features.{place}.expand3x3", 4 * squeezed, squeezed, 3, bias=True)
        inputs = 8 * squeezed
    return state | conv("classifier.1", 1000, 512, 1, bias=True)


def timm_legacy_xception() -> Shapes:
    def separable(name: str, norm_name: str, inputs: int, out: int) -> Shapes:
        return conv(f"{name}.conv1", inputs, 1, 3) | conv(f"{name}.pointwise", out, inputs, 1) | norm(norm_name, out)

    state = unit("conv1", "bn1", 32, 3, 3) | unit("conv2", "bn2", 64, 32, 3)
    blocks = ((64, 128, 128), (128, 256, 256), (256, 728, 728), *[(728,) * 4] * 8, (728, 728, 1024))
    for number, widths in enumerate(blocks, start=1):
        place = 0 if number == 1 else 1  # a ReLU stands first in all but the first
        for inputs, out in itertools.pairwise(widths):
            state |= separable(f"block{number}.rep.{place}", f"block{number}.rep.{place + 1}", inputs, out)
            place += 3
        if widths[0] != widths[-1]:
            state |= unit(f"block{number}.skip", f"block{number}.skipbn", widths[-1], widths[0], 1)
    state |= separable("conv3", "bn3", 1024, 1536) | separable("conv4", "bn4", 1536, 2048)
    return state | dense("fc", 1000, 2048)


def torchvision_inception_v3() -> Shapes:
    def layers() -> Iterator[tuple[str, int, int, tuple[int, ...]]]:
        yield from (
            ("Conv2d_1a_3x3", 32, 3, (3,)), ("Conv2d_2a_3x3", 32, 32, (3,)), ("Conv2d_2b_3x3", 64, 32, (3,)),
            ("Conv2d_3b_1x1", 80, 64, (1,)), ("Conv2d_4a_3x3", 192, 80, (3,)),
        )  # fmt: skip
        for letter, inputs, pooled in (("b", 192, 32), ("c", 256, 64), ("d", 288, 64)):
            yield from (
                (f"Mixed_5{letter}.{name}", out, given, (kernel,))
                for name, out, given, kernel in (
                    ("branch1x1", 64, inputs, 1), ("branch5x5_1", 48, inputs, 1), ("branch5x5_2", 64, 48, 5),
                    ("branch3x3dbl_1", 64, inputs, 1), ("branch3x3dbl_2", 96, 64, 3), ("branch3x3dbl_3", 96, 96, 3),
                    ("branch_pool", pooled, inputs, 1),
                )
            )  # fmt: skip
        yield from (
            ("Mixed_6a.branch3x3", 384, 288, (3,)), ("Mixed_6a.branch3x3dbl_1", 64, 288, (1,)),
            ("Mixed_6a.branch3x3dbl_2", 96, 64, (3,)), ("Mixed_6a.branch3x3dbl_3", 96, 96, (3,)),
        )  # fmt: skip
        for letter, narrow in (("b", 128), ("c", 160), ("d", 160), ("e", 192)):
            yield from (
                (f"Mixed_6{letter}.{name}", out, given, kernel)
                for name, out, given, kernel in (
                    ("branch1x1", 192, 768, (1,)), ("branch7x7_1", narrow, 768, (1,)),
                    ("branch7x7_2", narrow, narrow, (1, 7)), ("branch7x7_3", 192, narrow, (7, 1)),
                    ("branch7x7dbl_1", narrow, 768, (1,)), ("branch7x7dbl_2", narrow, narrow, (7, 1)),
                    ("branch7x7dbl_3", narrow, narrow, (1, 7)), ("branch7x7dbl_4", narrow, narrow, (7, 1)),
                    ("branch7x7dbl_5", 192, narrow, (1, 7)), ("branch_pool", 192, 768, (1,)),
                )
            )  # fmt: skip
        yield from (
            ("AuxLogits.conv0", 128, 768, (1,)), ("AuxLogits.conv1", 768, 128, (5,)),
            ("Mixed_7a.branch3x3_1", 192, 768, (1,)), ("Mixed_7a.branch3x3_2", 320, 192, (3,)),
            ("Mixed_7a.branch7x7x3_1", 192, 768, (1,)), ("Mixed_7a.branch7x7x3_2", 192, 192, (1, 7)),
            ("Mixed_7a.branch7x7x3_3", 192, 192, (7, 1)), ("Mixed_7a.branch7x7x3_4", 192, 192, (3,)),
        )  # fmt: skip
        for letter, inputs in (("b", 1280), ("c", 2048)):
            yield from (
                (f"Mixed_7{letter}.{name}", out, given, kernel)
                for name, out, given, kernel in (
                    ("branch1x1", 320, inputs, (1,)), ("branch3x3_1", 384, inputs, (1,)),
                    ("branch3x3_2a", 384, 384, (1, 3)), ("branch3x3_2b", 384, 384, (3, 1)),
                    ("branch3x3dbl_1", 448, inputs, (1,)), ("branch3x3dbl_2", 384, 448, (3,)),
                    ("branch3x3dbl_3a", 384, 384, (1, 3)), ("branch3x3dbl_3b", 384, 384, (3, 1)),
                    ("branch_pool", 192, inputs, (1,)),
                )
            )  # fmt: skip

    state: Shapes = {}
    for name, out, inputs, kernel in layers():
        state |= unit(f"{name}.conv", f"{name}.bn", out, inputs, *kernel)
    return state | dense("AuxLogits.fc", 1000, 768) | dense("fc", 1000, 2048)


STATES: dict[str, Callable[[], Shapes]] = {
    "timm/mobilenetv1_100": timm_mobilenetv1_100,
    "torchvision/mobilenet_v2": torchvision_mobilenet_v2,
    "timm/mobilenetv2_100": timm_mobilenetv2_100,
    "torchvision/mobilenet_v3_large": lambda: torchvision_mobilenet_v3(V3_LARGE, 960, 1280),
    "timm/mobilenetv3_large_100": lambda: timm_mobilenetv3(V3_LARGE, 960, 1280),
    "timm/tf_mobilenetv3_large_100": lambda: timm_mobilenetv3(V3_LARGE, 960, 1280),
    "torchvision/mobilenet_v3_small": lambda: torchvision_mobilenet_v3(V3_SMALL, 576, 1024),
    "timm/mobilenetv3_small_100": lambda: timm_mobilenetv3(V3_SMALL, 576, 1024),
    "timm/tf_mobilenetv3_small_100": lambda: timm_mobilenetv3(V3_SMALL, 576, 1024),
    "timm/mobilenetv4_conv_small": lambda: timm_mobilenetv4(32, V4_SMALL),
    "timm/mobilenetv4_conv_medium": lambda: timm_mobilenetv4(32, V4_MEDIUM),
    "timm/mobilenetv4_conv_large": lambda: timm_mobilenetv4(24, V4_LARGE),
    "torchvision/squeezenet1_0": lambda: torchvision_squeezenet(
        96, 7, {3: 16, 4: 16, 5: 32, 7: 32, 8: 48, 9: 48, 10: 64, 12: 64}
    ),
    "torchvision/squeezenet1_1": lambda: torchvision_squeezenet(
        64, 3, {3: 16, 4: 16, 6: 32, 7: 32, 9: 48, 10: 48, 11: 64, 12: 64}
    ),
    "torchvision/inception_v3": torchvision_inception_v3,
    "timm/legacy_xception": timm_legacy_xception,
}

"""What publishers call the weights of each architecture: our name of a module → theirs.

Written from timm's and torchvision's definitions. A name stands for all that the module holds: weight and bias, and a
norm's statistics.
"""

from collections.abc import Iterator, Sequence

from mobisdk.models.mobilenet_v2 import STAGES as V2_STAGES
from mobisdk.models.mobilenet_v3 import LARGE as V3_LARGE
from mobisdk.models.mobilenet_v3 import SMALL as V3_SMALL
from mobisdk.models.mobilenet_v3 import Row as V3Row
from mobisdk.models.mobilenet_v4 import LARGE as V4_LARGE
from mobisdk.models.mobilenet_v4 import MEDIUM as V4_MEDIUM
from mobisdk.models.mobilenet_v4 import SMALL as V4_SMALL
from mobisdk.models.mobilenet_v4 import Conv as V4Conv
from mobisdk.models.mobilenet_v4 import Fused as V4Fused
from mobisdk.models.mobilenet_v4 import Row as V4Row

Keys = dict[str, str]


def timm_mobilenet_v1() -> Keys:
    """timm `mobilenetv1_100`: stages of 1, 2, 2, 6 and 2 blocks."""
    keys = _timm_stem() | {"classifier": "classifier"}
    for index, place in enumerate(_places([1, 2, 2, 6, 2])):
        block, theirs = f"blocks.{index}", f"blocks.{place}"
        keys |= _unit(f"{block}.depthwise", f"{theirs}.conv_dw", f"{theirs}.bn1")
        keys |= _unit(f"{block}.pointwise", f"{theirs}.conv_pw", f"{theirs}.bn2")
    return keys


def timm_mobilenet_v2() -> Keys:
    """timm `mobilenetv2_100` and its widths."""
    keys = _timm_stem() | _unit("last", "conv_head", "bn2") | {"classifier": "classifier"}
    for index, place in enumerate(_places([repeats for _, _, repeats, _ in V2_STAGES])):
        keys |= _timm_inverted_residual(f"blocks.{index}", f"blocks.{place}", expands=index > 0, excites=False)
    return keys


def timm_mobilenet_v3_large() -> Keys:
    """timm `mobilenetv3_large_*` and `tf_mobilenetv3_large_*`."""
    return _timm_mobilenet_v3(V3_LARGE)


def timm_mobilenet_v3_small() -> Keys:
    """timm `mobilenetv3_small_*` and `tf_mobilenetv3_small_*`."""
    return _timm_mobilenet_v3(V3_SMALL)


def timm_mobilenet_v4_conv_small() -> Keys:
    """timm `mobilenetv4_conv_small`."""
    return _timm_mobilenet_v4(V4_SMALL)


def timm_mobilenet_v4_conv_medium() -> Keys:
    """timm `mobilenetv4_conv_medium`."""
    return _timm_mobilenet_v4(V4_MEDIUM)


def timm_mobilenet_v4_conv_large() -> Keys:
    """timm `mobilenetv4_conv_large`."""
    return _timm_mobilenet_v4(V4_LARGE)


def timm_xception() -> Keys:
    """timm `legacy_xception`."""
    keys = {"classifier": "fc"}
    for index in (0, 1):
        keys |= _unit(f"stem.{index}", f"conv{index + 1}", f"bn{index + 1}")
    for index, separables in enumerate([2, 2, 2, *[3] * 8, 2]):
        block, theirs = f"blocks.{index}", f"block{index + 1}"
        starts_with_act = index > 0
        for place in range(separables):
            our_place = 2 * place + starts_with_act
            their_place = 3 * place + starts_with_act
            keys |= _separable(
                f"{block}.body.{our_place}", f"{theirs}.rep.{their_place}", f"{theirs}.rep.{their_place + 1}"
            )
        if index in (0, 1, 2, 11):
            keys |= _unit(f"{block}.shortcut", f"{theirs}.skip", f"{theirs}.skipbn")
    keys |= _separable("last.0", "conv3", "bn3") | _separable("last.2", "conv4", "bn4")
    return keys


def torchvision_mobilenet_v2() -> Keys:
    """torchvision `mobilenet_v2`."""
    blocks = sum(repeats for _, _, repeats, _ in V2_STAGES)
    keys = _unit("stem", "features.0.0", "features.0.1") | {"classifier": "classifier.1"}
    keys |= _unit("last", f"features.{blocks + 1}.0", f"features.{blocks + 1}.1")
    for index in range(blocks):
        block, theirs = f"blocks.{index}", f"features.{index + 1}.conv"
        place = 0
        if index > 0:
            keys |= _unit(f"{block}.expand", f"{theirs}.0.0", f"{theirs}.0.1")
            place = 1
        keys |= _unit(f"{block}.depthwise", f"{theirs}.{place}.0", f"{theirs}.{place}.1")
        keys |= _unit(f"{block}.project", f"{theirs}.{place + 1}", f"{theirs}.{place + 2}")
    return keys


def torchvision_mobilenet_v3_large() -> Keys:
    """torchvision `mobilenet_v3_large`."""
    return _torchvision_mobilenet_v3(V3_LARGE)


def torchvision_mobilenet_v3_small() -> Keys:
    """torchvision `mobilenet_v3_small`."""
    return _torchvision_mobilenet_v3(V3_SMALL)


def torchvision_squeezenet_1_0() -> Keys:
    """torchvision `squeezenet1_0`: its fire modules by their places, pools counted."""
    return _torchvision_squeezenet([1, 2, 3, 5, 6, 7, 8, 10])


def torchvision_squeezenet_1_1() -> Keys:
    """torchvision `squeezenet1_1`."""
    return _torchvision_squeezenet([1, 2, 4, 5, 7, 8, 9, 10])


def torchvision_inception_v3() -> Keys:
    """torchvision `inception_v3`, and timm's, which have the same names."""
    modules = {
        "stem.0": "Conv2d_1a_3x3",
        "stem.1": "Conv2d_2a_3x3",
        "stem.2": "Conv2d_2b_3x3",
        "stem.4": "Conv2d_3b_1x1",
        "stem.5": "Conv2d_4a_3x3",
        "auxiliary.0": "AuxLogits.conv0",
        "auxiliary.1": "AuxLogits.conv1",
    }
    for index, letter in enumerate("bcd"):
        modules |= _branches(
            f"blocks.{index}",
            f"Mixed_5{letter}",
            ["branch1x1"],
            ["branch5x5_1", "branch5x5_2"],
            ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"],
        )
        modules[f"blocks.{index}.branches.3.1"] = f"Mixed_5{letter}.branch_pool"
    modules |= _branches("blocks.3", "Mixed_6a", ["branch3x3"], ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"])
    for index, letter in enumerate("bcde", start=4):
        modules |= _branches(
            f"blocks.{index}",
            f"Mixed_6{letter}",
            ["branch1x1"],
            [f"branch7x7_{number}" for number in range(1, 4)],
            [f"branch7x7dbl_{number}" for number in range(1, 6)],
        )
        modules[f"blocks.{index}.branches.3.1"] = f"Mixed_6{letter}.branch_pool"
    modules |= _branches(
        "late_blocks.0",
        "Mixed_7a",
        ["branch3x3_1", "branch3x3_2"],
        [f"branch7x7x3_{number}" for number in range(1, 5)],
    )
    for index, letter in enumerate("bc", start=1):
        block, theirs = f"late_blocks.{index}.branches", f"Mixed_7{letter}"
        modules |= {
            f"{block}.0": f"{theirs}.branch1x1",
            f"{block}.1.0": f"{theirs}.branch3x3_1",
            f"{block}.1.1.branches.0": f"{theirs}.branch3x3_2a",
            f"{block}.1.1.branches.1": f"{theirs}.branch3x3_2b",
            f"{block}.2.0": f"{theirs}.branch3x3dbl_1",
            f"{block}.2.1": f"{theirs}.branch3x3dbl_2",
            f"{block}.2.2.branches.0": f"{theirs}.branch3x3dbl_3a",
            f"{block}.2.2.branches.1": f"{theirs}.branch3x3dbl_3b",
            f"{block}.3.1": f"{theirs}.branch_pool",
        }
    keys = {"classifier": "fc", "auxiliary_classifier": "AuxLogits.fc"}
    for ours, theirs in modules.items():
        keys |= _unit(ours, f"{theirs}.conv", f"{theirs}.bn")
    return keys


def _unit(ours: str, conv: str, norm: str) -> Keys:
    """A ConvNormAct."""
    return {f"{ours}.conv": conv, f"{ours}.norm": norm}


def _separable(ours: str, conv: str, norm: str) -> Keys:
    return {f"{ours}.0": f"{conv}.conv1", f"{ours}.1": f"{conv}.pointwise", f"{ours}.2": norm}


def _branches(ours: str, theirs: str, *branches: Sequence[str]) -> Keys:
    """A module's branches; one of a single layer is that layer."""
    keys: Keys = {}
    for number, layers in enumerate(branches):
        for place, layer in enumerate(layers):
            name = f"{ours}.branches.{number}" + (f".{place}" if len(layers) > 1 else "")
            keys[name] = f"{theirs}.{layer}"
    return keys


def _places(stages: Sequence[int]) -> Iterator[str]:
    """Stage and place in it, for stages of so many blocks."""
    for stage, blocks in enumerate(stages):
        yield from (f"{stage}.{place}" for place in range(blocks))


def _timm_stem() -> Keys:
    return _unit("stem", "conv_stem", "bn1")


def _timm_inverted_residual(ours: str, theirs: str, *, expands: bool, excites: bool) -> Keys:
    keys: Keys = {}
    if expands:
        keys |= _unit(f"{ours}.expand", f"{theirs}.conv_pw", f"{theirs}.bn1")
        names = ("conv_dw", "bn2", "conv_pwl", "bn3")
    else:
        names = ("conv_dw", "bn1", "conv_pw", "bn2")
    keys |= _unit(f"{ours}.depthwise", f"{theirs}.{names[0]}", f"{theirs}.{names[1]}")
    keys |= _unit(f"{ours}.project", f"{theirs}.{names[2]}", f"{theirs}.{names[3]}")
    if excites:
        keys |= {
            f"{ours}.excite.reduce": f"{theirs}.se.conv_reduce",
            f"{ours}.excite.expand": f"{theirs}.se.conv_expand",
        }
    return keys


def _timm_mobilenet_v3(rows: Sequence[V3Row]) -> Keys:
    stages: list[int] = []
    for index, row in enumerate(rows):
        if index == 0 or row.out != rows[index - 1].out:
            stages.append(0)
        stages[-1] += 1
    last = f"blocks.{len(stages)}.0"
    keys = _timm_stem() | _unit("last", f"{last}.conv", f"{last}.bn1")
    keys |= {"hidden": "conv_head", "classifier": "classifier"}
    for index, (row, place) in enumerate(zip(rows, _places(stages), strict=True)):
        keys |= _timm_inverted_residual(f"blocks.{index}", f"blocks.{place}", expands=index > 0, excites=row.excites)
    return keys


def _timm_mobilenet_v4(rows: Sequence[V4Row]) -> Keys:
    stages: list[int] = []
    for row in rows:
        if row.stride == 2:
            stages.append(0)
        stages[-1] += 1
    last = f"blocks.{len(stages)}.0"
    keys = _timm_stem() | _unit("last", f"{last}.conv", f"{last}.bn1")
    keys |= _unit("hidden", "conv_head", "norm_head") | {"classifier": "classifier"}
    for index, (row, place) in enumerate(zip(rows, _places(stages), strict=True)):
        block, theirs = f"blocks.{index}", f"blocks.{place}"
        match row:
            case V4Conv():
                keys |= _unit(block, f"{theirs}.conv", f"{theirs}.bn1")
            case V4Fused():
                keys |= _unit(f"{block}.expand", f"{theirs}.conv_exp", f"{theirs}.bn1")
                keys |= _unit(f"{block}.project", f"{theirs}.conv_pwl", f"{theirs}.bn2")
            case _:
                parts = {"expand": "pw_exp", "project": "pw_proj"}
                parts |= {"before": "dw_start"} if row.before else {}
                parts |= {"within": "dw_mid"} if row.within else {}
                for ours, part in parts.items():
                    keys |= _unit(f"{block}.{ours}", f"{theirs}.{part}.conv", f"{theirs}.{part}.bn")
    return keys


def _torchvision_mobilenet_v3(rows: Sequence[V3Row]) -> Keys:
    keys = _unit("stem", "features.0.0", "features.0.1")
    keys |= _unit("last", f"features.{len(rows) + 1}.0", f"features.{len(rows) + 1}.1")
    keys |= {"hidden": "classifier.0", "classifier": "classifier.3"}
    for index, row in enumerate(rows):
        block, theirs = f"blocks.{index}", f"features.{index + 1}.block"
        place = 0
        if index > 0:
            keys |= _unit(f"{block}.expand", f"{theirs}.0.0", f"{theirs}.0.1")
            place = 1
        keys |= _unit(f"{block}.depthwise", f"{theirs}.{place}.0", f"{theirs}.{place}.1")
        if row.excites:
            place += 1
            keys |= {
                f"{block}.excite.reduce": f"{theirs}.{place}.fc1",
                f"{block}.excite.expand": f"{theirs}.{place}.fc2",
            }
        keys |= _unit(f"{block}.project", f"{theirs}.{place + 1}.0", f"{theirs}.{place + 1}.1")
    return keys


def _torchvision_squeezenet(fires: Sequence[int]) -> Keys:
    keys = {"stem.0": "features.0", "classifier": "classifier.1"}
    for place in fires:
        block, theirs = f"blocks.{place}", f"features.{place + 2}"
        keys |= {
            f"{block}.0": f"{theirs}.squeeze",
            f"{block}.2.branches.0": f"{theirs}.expand1x1",
            f"{block}.2.branches.1": f"{theirs}.expand3x3",
        }
    return keys

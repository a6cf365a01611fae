import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mobisdk.errors import ConfigError
from mobisdk.layers.depthwise import is_depthwise
from mobisdk.models import create_model, list_models
from mobisdk.models.auxiliary import HasAuxiliaryHead
from mobisdk.models.width import scale_widths
from mobisdk.specs import ModelSpec

# Worked by hand: 75 → 37 → 35 → 17 → 15 → 7 → 3 → 1 with a stride of 2 in the stem, 39 → 37 → 35 → … with 1.
INCEPTION_V3_LEAST = {1: 39, 2: 75}
# α = 0.25 keeps these quick; every architecture that is ever registered meets them.
SMALL = {"alpha": 0.25, "num_classes": 7}


def stage_shapes(model: nn.Module, image: torch.Tensor) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    hooks = [
        stage.register_forward_hook(lambda _module, _input, output: shapes.append(tuple(output.shape[1:])))
        for stage in (model.stem, *model.blocks)
    ]
    model.eval()(image)
    for hook in hooks:
        hook.remove()
    return shapes


def test_models_are_listed_without_torch() -> None:
    code = "import sys, mobisdk.models as m; print(m.list_models()); sys.exit('torch' in sys.modules)"

    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert listed.stdout.strip() == str(list_models())


@pytest.mark.parametrize("arch", list_models())
@pytest.mark.parametrize("stem_stride", [1, 2])
def test_every_architecture_gives_logits_at_any_resolution_that_it_takes(arch: str, stem_stride: int) -> None:
    least = INCEPTION_V3_LEAST[stem_stride] if arch == "inception_v3" else 32
    with torch.device("meta"):
        for resolution in (least, least + 1, 77, 78, 97, 160, 299):
            model = create_model(ModelSpec(arch, resolution=resolution, stem_stride=stem_stride, **SMALL)).eval()
            assert model(torch.empty(2, 3, resolution, resolution)).shape == (2, 7)


@pytest.mark.parametrize("stem_stride", [1, 2])
def test_an_image_that_the_strides_leave_nothing_of_is_refused_and_the_least_is_named(stem_stride: int) -> None:
    least = INCEPTION_V3_LEAST[stem_stride]

    with pytest.raises(ConfigError, match=rf"got {least - 1}; allowed: {least} or more with stem_stride {stem_stride}"):
        create_model(ModelSpec("inception_v3", resolution=least - 1, stem_stride=stem_stride))


@pytest.mark.parametrize("arch", list_models())
@pytest.mark.parametrize("alpha", [1 / 16, 0.1, 0.35, 1.4, 2.0])
@pytest.mark.parametrize("width_divisor", [1, 8])
def test_every_architecture_builds_at_any_width(arch: str, alpha: float, width_divisor: int) -> None:
    if arch == "factorized" and width_divisor == 1 and alpha not in (1 / 16, 2.0):
        with pytest.raises(ConfigError, match=r"channels that do not divide into 4 parts.*--width-divisor 4"):
            create_model(ModelSpec(arch, alpha=alpha))
        return
    with torch.device("meta"):
        model = create_model(ModelSpec(arch, alpha=alpha, width_divisor=width_divisor, num_classes=1000))
        assert model.eval()(torch.empty(1, 3, 224, 224)).shape == (1, 1000)

    # bn_inception's separable filters are 8 for each colour, whatever the width.
    convs = [module for module in model.modules() if isinstance(module, nn.Conv2d) and module.in_channels > 3]
    assert all(conv.out_channels >= 1 for conv in convs)
    assert all(conv.out_channels % width_divisor == 0 for conv in convs)


@pytest.mark.parametrize("arch", list_models())
def test_a_million_classes_are_a_wider_classifier(arch: str) -> None:
    with torch.device("meta"):
        model = create_model(ModelSpec(arch, alpha=0.25, resolution=96, num_classes=1_000_000)).eval()
        assert model(torch.empty(1, 3, 96, 96)).shape == (1, 1_000_000)


def test_mobilenet_v1_has_the_maps_of_table_1() -> None:
    with torch.device("meta"):
        model, image = create_model(ModelSpec()), torch.empty(1, 3, 224, 224)

    assert stage_shapes(model, image) == [
        (32, 112, 112),
        (64, 112, 112),
        (128, 56, 56),
        (128, 56, 56),
        (256, 28, 28),
        (256, 28, 28),
        *[(512, 14, 14)] * 6,
        (1024, 7, 7),
        (1024, 7, 7),
    ]


def test_stem_stride_of_one_keeps_twice_the_detail() -> None:
    with torch.device("meta"):
        model, image = create_model(ModelSpec(resolution=32, stem_stride=1)), torch.empty(1, 3, 32, 32)

    shapes = stage_shapes(model, image)

    assert (shapes[0], shapes[-1]) == ((32, 32, 32), (1024, 2, 2))


def test_shallow_network_lacks_the_five_middle_blocks() -> None:
    with torch.device("meta"):
        model, image = create_model(ModelSpec("mobilenet_v1_shallow")), torch.empty(1, 3, 224, 224)

    assert stage_shapes(model, image).count((512, 14, 14)) == 1


def test_full_network_has_no_depthwise_filter() -> None:
    with torch.device("meta"):
        model = create_model(ModelSpec("mobilenet_v1_full_conv"))

    convs = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert [(conv.kernel_size, conv.groups) for conv in convs] == [((3, 3), 1)] * 14


def test_nearest_name_is_offered_for_an_unknown_architecture() -> None:
    with pytest.raises(
        ConfigError, match=r"got 'mobilenet_v1_shalow'; allowed: .*mobilenet_v1, .*Did you mean mobilenet_v1_shallow\?"
    ):
        create_model(ModelSpec("mobilenet_v1_shalow"))


@pytest.mark.parametrize(
    ("alpha", "width_divisor", "expected"),
    [
        (0.75, 1, [24, 48, 96, 192, 384, 768]),
        (0.3, 1, [9, 19, 38, 76, 153, 307]),  # 9.6, 19.2, 38.4, 76.8, 153.6, 307.2 rounded down
        # MobileNetV2's make_divisible, worked by hand: 11.2 → 8 would lose more than a tenth, so 16; 22.4 → 24.
        (0.35, 8, [16, 24, 48, 88, 176, 360]),
        (1.4, 8, [48, 88, 176, 360, 720, 1432]),
        (0.01, 8, [8, 8, 8, 8, 8, 16]),  # 10.24 → 8 would lose more than a tenth
    ],
)
def test_widths_are_rounded_as_the_divisor_says(alpha: float, width_divisor: int, expected: list[int]) -> None:
    spec = ModelSpec(alpha=alpha, width_divisor=width_divisor)

    assert scale_widths([32, 64, 128, 256, 512, 1024], spec) == expected


def test_floating_point_does_not_cost_a_channel() -> None:
    assert 0.29 * 100 < 29
    assert scale_widths([100], ModelSpec(alpha=0.29)) == [29]


@given(alpha=st.floats(0.01, 2.0), width=st.integers(1, 4096), divisor=st.integers(2, 64))
def test_rounded_width_is_a_multiple_and_never_below_nine_tenths(alpha: float, width: int, divisor: int) -> None:
    [rounded] = scale_widths([width], ModelSpec(alpha=alpha, width_divisor=divisor))

    assert rounded % divisor == 0
    assert 0.9 * alpha * width <= rounded <= alpha * width + divisor


@pytest.mark.parametrize("arch", list_models())
def test_alpha_without_a_channel_is_refused_and_the_least_that_works_is_named(arch: str) -> None:
    if arch.startswith(("mobilenet_v2", "mobilenet_v3", "mobilenet_v4")):  # never below eight channels
        with torch.device("meta"):
            create_model(ModelSpec(arch, alpha=0.001))
        return
    with pytest.raises(ConfigError, match=rf"got 0\.01; allowed: 0\.\d+ ≤ alpha ≤ 2 for {arch}") as caught:
        create_model(ModelSpec(arch, alpha=0.01))
    if arch != "factorized":  # whose channels must also divide
        with torch.device("meta"):
            create_model(ModelSpec(arch, alpha=float(str(caught.value.allowed).split()[0])))


@given(st.integers(1, 4096))
def test_the_least_alpha_that_is_named_works(narrowest: int) -> None:
    with pytest.raises(ConfigError) as caught:
        scale_widths([4096, narrowest], ModelSpec(alpha=0.5 / narrowest))
    named = float(str(caught.value.allowed).split()[0])

    assert scale_widths([narrowest], ModelSpec(alpha=named)) == [1]


def test_weights_are_drawn_by_what_a_filter_reaches() -> None:
    torch.manual_seed(0)
    model = create_model(ModelSpec(num_classes=1000))

    pointwise, depthwise = model.blocks[12].pointwise.conv, model.blocks[12].depthwise.conv
    assert pointwise.weight.std().item() == pytest.approx((2 / 1024) ** 0.5, rel=0.02)
    identity = torch.zeros(3, 3)
    identity[1, 1] = 1.0
    assert (depthwise.weight - identity).std().item() == pytest.approx(0.1, rel=0.02)  # a chain without residuals
    assert model.blocks[12].depthwise.norm.bias.eq(1.0).all()
    assert not model.blocks[12].pointwise.norm.bias.any()
    assert model.classifier.weight.std().item() == pytest.approx((1 / 1024) ** 0.5, rel=0.02)
    assert model.classifier.bias.abs().max() == 0
    of_residuals = next(m for m in create_model(ModelSpec("mobilenet_v2", alpha=2.0)).modules() if is_depthwise(m))
    assert of_residuals.weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.05)


def learn(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int, rate: float) -> float:
    """Loss after so many steps on one batch, without dropout; every parameter must have had a finite gradient."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    optimizer = torch.optim.Adam(model.parameters(), rate)
    for _ in range(steps):
        optimizer.zero_grad()
        if isinstance(model, HasAuxiliaryHead):
            logits, auxiliary = model.forward_with_auxiliary(images)
            loss = nn.functional.cross_entropy(logits, labels) + nn.functional.cross_entropy(auxiliary, labels)
        else:
            loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
    return loss.item()


WITHOUT_NORMS = ("deep_fried", "lenet_5", "squeezenet_1_0", "squeezenet_1_1", "structured_transform")


@pytest.mark.parametrize("arch", sorted(set(list_models()) - set(WITHOUT_NORMS)))
def test_every_architecture_learns_random_images_by_heart(arch: str) -> None:
    torch.manual_seed(0)
    resolution = 75 if arch == "inception_v3" else 32
    model = create_model(ModelSpec(arch, alpha=0.25, resolution=resolution, num_classes=4))
    images, labels = torch.randn(16, 3, resolution, resolution), torch.randint(4, (16,))

    assert learn(model, images, labels, steps=15, rate=3e-3) < 0.1  # 1.39 is guessing


@pytest.mark.parametrize("arch", WITHOUT_NORMS)
def test_networks_without_norms_learn_the_colours_of_images(arch: str) -> None:
    torch.manual_seed(0)
    model = create_model(ModelSpec(arch, alpha=0.25, resolution=48, num_classes=4))
    labels = torch.arange(32) % 4
    images = torch.randn(4, 3, 1, 1)[labels] + 0.3 * torch.randn(32, 3, 48, 48)

    assert learn(model, images, labels, steps=80, rate=1e-3) < 0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [("padding", "valid"), ("activation", "gelu"), ("norm_epsilon", 0.0), ("norm_epsilon", float("nan"))],
)
def test_unknown_details_are_refused(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        ModelSpec(**{field: value})


def test_same_padding_puts_an_odd_zero_behind() -> None:
    """TensorFlow's rule by hand: 4 columns, a 3-wide filter, stride 2: one zero in all, and it stands last."""
    model = create_model(ModelSpec(alpha=0.25, padding="same", resolution=32))
    stem = model.stem.conv
    nn.init.zeros_(stem.weight)
    stem.weight.data[0, 0, :, 2] = 1.0  # sees the last column of its window
    image = torch.arange(4.0).expand(1, 3, 4, 4)

    assert stem(image)[0, 0].tolist() == [[6.0, 0.0], [4.0, 0.0]]
    assert not any(type(module).__name__ == "SamePadConv2d" and max(module.stride) == 1 for module in model.modules())

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

from mobisdk.errors import DataError
from mobisdk.models import list_models
from mobisdk.models.evaluation_mode import evaluation_mode
from mobisdk.models.untrained import adapt_to_images_, create_untrained_model, estimate_batch_norm_
from mobisdk.specs import ModelSpec

SPEC = ModelSpec(alpha=0.25, resolution=64, num_classes=10)


@pytest.fixture(scope="module")
def crops() -> Tensor:
    """(40,3,64,64), normalized: squares of many sizes out of scikit-learn's two photographs."""
    generator = np.random.default_rng(0)
    photographs = [Image.fromarray(photograph) for photograph in load_sample_images().images]
    squares = []
    for index in range(40):
        photograph, side = photographs[index % 2], int(generator.integers(100, 400))
        left = int(generator.integers(photograph.width - side))
        top = int(generator.integers(photograph.height - side))
        square = photograph.crop((left, top, left + side, top + side)).resize((64, 64), Image.Resampling.BILINEAR)
        squares.append(np.asarray(square))
    return (torch.tensor(np.stack(squares)).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5


def test_a_seed_has_its_weights_and_the_generators_stay_as_they_were() -> None:
    before = torch.get_rng_state()

    first, again, other = (create_untrained_model(SPEC, seed=seed) for seed in (1, 1, 2))

    assert torch.equal(torch.get_rng_state(), before)
    assert not first.training
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


@pytest.mark.parametrize("arch", list_models())
@pytest.mark.parametrize("alpha", [1 / 32, 0.25, 1.0])
def test_logits_differ_between_photographs(arch: str, alpha: float, crops: Tensor) -> None:
    if alpha < 0.1 and not arch.startswith("mobilenet"):
        alpha = 1 / 8  # others have layers of few channels, of which one or two are left
    stem_stride = 1 if arch == "inception_v3" else 2  # which 64 pixels are too few for
    spec = ModelSpec(arch, alpha=alpha, resolution=64, num_classes=10, stem_stride=stem_stride)
    model = create_untrained_model(spec, seed=0)
    seen, unseen = crops[:20], crops[20:]

    adapt_to_images_(model, seen)
    with torch.no_grad():
        logits = model(unseen)

    scale = logits.abs().mean()
    # Across images, of the size of a logit. SqueezeNet's are means over a map of what is never negative.
    assert logits.std(dim=0).mean() / scale > (0.2 if arch.startswith("squeezenet") else 0.3)
    assert torch.pdist(logits).min() / scale > 0.1  # no two images alike
    assert len(logits.argmax(dim=1).unique()) > 1


def test_statistics_are_those_of_the_images(crops: Tensor) -> None:
    model = create_untrained_model(SPEC, seed=0)
    images = crops[:20]

    estimate_batch_norm_(model, images)

    with torch.no_grad():
        maps = model.stem.conv(images).permute(1, 0, 2, 3).flatten(1).double().numpy()
    norm = model.stem.norm
    np.testing.assert_allclose(norm.running_mean, maps.mean(axis=1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(norm.running_var, maps.var(axis=1, ddof=1), rtol=1e-4)


def test_several_batches_are_averaged(crops: Tensor) -> None:
    model = create_untrained_model(SPEC, seed=0)

    estimate_batch_norm_(model, crops)  # more than one batch holds

    with torch.no_grad():
        maps = model.stem.conv(crops).permute(1, 0, 2, 3).flatten(1).double().numpy()
    np.testing.assert_allclose(model.stem.norm.running_mean, maps.mean(axis=1), rtol=1e-4, atol=1e-6)
    assert model.stem.norm.num_batches_tracked == 2


def test_what_was_set_before_is_set_after(crops: Tensor) -> None:
    model = create_untrained_model(SPEC, seed=0)
    model.blocks[3].train()
    model.stem.norm.momentum = 0.25
    modes = [module.training for module in model.modules()]

    estimate_batch_norm_(model, crops[:2])

    assert [module.training for module in model.modules()] == modes
    assert model.stem.norm.momentum == 0.25
    assert model.blocks[0].depthwise.norm.momentum == 0.1
    assert not any(parameter.requires_grad is False for parameter in model.parameters())


def test_what_was_set_before_is_set_after_a_failure_too(crops: Tensor) -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(4, 1, 1)).train()

    with pytest.raises(RuntimeError, match="channels"):
        estimate_batch_norm_(model, crops[:2])

    assert model[0].momentum == 0.1
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(3, 64, 64),
        torch.zeros(1, 3, 64, 64),
        torch.zeros(2, 1, 64, 64),
        torch.zeros(2, 3, 64, 64, dtype=torch.uint8),
    ],
)
def test_images_of_another_shape_are_refused(images: Tensor) -> None:
    with pytest.raises(DataError, match=r"allowed: \(N,3,H,W\) float, N ≥ 2"):
        estimate_batch_norm_(create_untrained_model(SPEC, seed=0), images)


def test_images_with_nan_are_refused() -> None:
    with pytest.raises(DataError, match="NaN"):
        estimate_batch_norm_(create_untrained_model(SPEC, seed=0), torch.full((2, 3, 64, 64), torch.nan))


def test_evaluation_mode_gives_every_module_its_mode_back() -> None:
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm2d(3)).train()
    model[1].eval()

    with evaluation_mode(model):
        inside = [module.training for module in model.modules()]

    assert inside == [False, False, False]
    assert [module.training for module in model.modules()] == [True, True, False]

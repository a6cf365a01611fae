import itertools

import numpy as np
import pytest
import torch
from torch import nn

from mobisdk.compression import compress_
from mobisdk.compression.product_quantization import ProductQuantizationConfig, cluster_weight, look_up
from mobisdk.compression.response_correction import LayerInputs, correct_codes
from mobisdk.errors import ConfigError


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_vectors_when_looked_up_then_neighbouring_inputs_have_their_codeword() -> None:
    codewords = torch.tensor([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])  # two groups of inputs, two vectors each
    codes = torch.tensor([[[[0]], [[1]]], [[[1]], [[0]]]], dtype=torch.uint8)  # (2, 2, 1, 1)
    assert look_up(codewords, codes).flatten(1).tolist() == [[1, 2, 7, 8], [3, 4, 5, 6]]
    assert look_up(codewords[:1], codes).flatten(1).tolist() == [[1, 2, 3, 4], [3, 4, 1, 2]]


@pytest.mark.parametrize("codebooks", ["layer", "subspace"])
@pytest.mark.parametrize("kernel", [(), (3, 3)])
def test_weight_when_it_is_made_of_few_vectors_then_clustering_is_exact(codebooks: str, kernel: tuple) -> None:
    codes = torch.randint(8, (32, 3, *kernel), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    weight = look_up(random(1 if codebooks == "layer" else 3, 8, 4), codes)
    found, codewords = cluster_weight(weight, 4, 3, codebooks)  # type: ignore[arg-type]
    assert found.shape == codes.shape
    torch.testing.assert_close(look_up(codewords, found), weight)


@pytest.mark.parametrize("codebooks", ["layer", "subspace"])
def test_correction_when_inputs_are_not_equally_likely_then_responses_are_nearer(codebooks: str) -> None:
    weight = random(64, 16)
    inputs = random(400, 16, seed=1) @ torch.diag(torch.logspace(-1, 1, 16))
    changed = inputs + 0.1 * random(400, 16, seed=2) * inputs.abs().mean(0)
    codes, codewords = cluster_weight(weight, 4, 3, codebooks)  # type: ignore[arg-type]

    corrected = look_up(*reversed(correct_codes(weight, codes, codewords, LayerInputs(inputs), LayerInputs(changed))))

    def error(quantized: torch.Tensor) -> float:
        return float((inputs @ weight.T - changed @ quantized.T).square().sum() / (inputs @ weight.T).square().sum())

    assert error(corrected) < 0.95 * error(look_up(codewords, codes))


def test_correction_when_every_choice_can_be_tried_then_finds_one_of_the_best() -> None:
    # Four weights of one output in two vectors, two codewords: 4 choices of codes, codewords by least squares.
    weight, inputs = random(1, 4), random(50, 4, seed=1)
    codes, codewords = cluster_weight(weight.repeat(2, 1) + 0.1 * random(2, 4, seed=2), 2, 1, "layer")
    corrected = look_up(
        *reversed(correct_codes(weight, codes[:1], codewords, LayerInputs(inputs), LayerInputs(inputs)))
    )
    errors = []
    for choice in itertools.product(range(2), repeat=2):
        columns = np.zeros((50, 4))
        for group, book in enumerate(choice):
            columns[:, 2 * book : 2 * book + 2] += inputs[:, 2 * group : 2 * group + 2].numpy()
        response = (inputs @ weight[0]).numpy()
        solution, *_ = np.linalg.lstsq(columns, response, rcond=None)
        errors.append(float(np.square(columns @ solution - response).sum()))
    achieved = float((inputs @ (corrected - weight).T).square().sum())
    assert achieved <= sorted(errors)[1] + 1e-2


def test_network_when_quantized_with_images_then_its_logits_are_nearer_than_without() -> None:
    def build() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 32, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(576, 20),
        )

    images = random(32, 3, 8, 8).abs()
    test = random(32, 3, 8, 8, seed=3).abs()
    errors = {}
    for correct_error in (True, False):
        model, original = build(), build()
        result = compress_(model, ProductQuantizationConfig(bits=5, correct_error=correct_error), images=images)
        errors[correct_error] = float((model(test) - original(test)).square().sum().detach())
        assert [change.name for change in result.changed] == ["2", "5"]
        assert [skipped.reason for skipped in result.skipped] == ["its 3 inputs are no multiple of 4"]
    assert errors[True] < 0.7 * errors[False]


def test_figures_when_quantized_then_codes_and_codewords_are_counted() -> None:
    result = compress_(
        nn.Sequential(nn.Flatten(), nn.Linear(192, 128)),
        ProductQuantizationConfig(correct_error=False),
        images=torch.zeros(1, 3, 8, 8),
    )
    (change,) = result.changed
    assert change.params_after == 256 * 4 + 128
    assert change.bits_per_weight == pytest.approx(2 + 32 * 1024 / (192 * 128))


def test_codewords_when_trained_then_a_gradient_is_the_sum_over_its_places() -> None:
    codes = torch.tensor([[0, 1], [1, 1]], dtype=torch.uint8)
    codewords = random(1, 2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: look_up(each, codes), codewords)
    look_up(codewords, codes).sum().backward()
    assert codewords.grad is not None
    assert codewords.grad.tolist() == [[[1, 1, 1], [3, 3, 3]]]


def test_layer_when_too_small_for_the_codebook_then_skipped_with_the_reason() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Linear(8, 4))
    result = compress_(model, ProductQuantizationConfig(correct_error=False), images=torch.zeros(1, 3, 8, 8))
    assert [skipped.reason for skipped in result.skipped] == [
        "384 vectors are too few to share 256",
        "8 vectors are too few to share 256",
    ]


def test_quantization_without_images_is_refused_where_it_corrects_errors() -> None:
    with pytest.raises(ConfigError, match="needs images"):
        compress_(nn.Linear(64, 64), ProductQuantizationConfig())


@pytest.mark.parametrize("settings", [{"bits": 9}, {"vector": 1}, {"codebooks": "network"}])
def test_config_when_it_is_wrong_then_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        ProductQuantizationConfig(**settings)

"""Learning from a teacher: the loss by hand, and whose answers a student is given."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image
from tests.sdk.published_states import STATES, fill
from torch import Tensor, nn

from mobisdk.data.batches import Batch, normalize
from mobisdk.data.unlabelled import NO_LABEL
from mobisdk.errors import DataError
from mobisdk.models.checkpoint import Checkpoint, save_checkpoint
from mobisdk.models.outside_weights import load_outside_weights
from mobisdk.models.untrained import create_untrained_model
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training.distillation import distil, distillation_loss
from mobisdk.training.teacher import change_view, load_teacher

STUDENT = InputSpec(32, 32)


def soften(logits: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    powers = np.exp(logits / temperature)
    return powers / powers.sum(1, keepdims=True)


def test_distillation_loss_is_the_papers_by_hand() -> None:
    student = np.array([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]])
    taught = np.array([[0.0, 4.0, 1.0], [2.0, -1.0, 0.0]])
    p, q = soften(taught, 3.0), soften(student, 3.0)
    divergences = (p * np.log(p / q)).sum(1)
    entropies = -np.log(soften(student, 1.0)[[0, 1], [1, 2]])
    expected = (0.7 * 9 * divergences + 0.3 * entropies).mean()

    loss = distillation_loss(torch.tensor(student), torch.tensor(taught), torch.tensor([1, 2]), 3.0, 0.7)

    assert float(loss) == pytest.approx(expected, rel=1e-5)
    # The second image has no label: its divergence alone counts, in full.
    loss = distillation_loss(torch.tensor(student), torch.tensor(taught), torch.tensor([1, NO_LABEL]), 3.0, 0.7)
    expected = (0.7 * 9 * divergences[0] + 0.3 * entropies[0] + 9 * divergences[1]) / 2
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_distillation_loss_at_a_high_temperature_matches_logits() -> None:
    """Equation 4 of the paper: for zero-mean logits the gradient tends to (z - v) / N, with T² taken out."""
    student = torch.tensor([[0.4, -0.1, -0.3]], requires_grad=True)
    taught = torch.tensor([[-0.2, 0.5, -0.3]])

    distillation_loss(student, taught, torch.tensor([0]), temperature=100.0, mix=1.0).backward()

    torch.testing.assert_close(student.grad, (student - taught).detach() / 3, rtol=1e-2, atol=1e-4)


def test_distil_when_the_student_answers_as_its_teacher_then_only_labels_cost() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    images, labels = torch.randn(4, 3, 2, 2), torch.tensor([0, 1, 2, NO_LABEL])
    batch = Batch(images, labels, torch.arange(4))

    loss = distil(lambda batch: network(batch.images).detach(), temperature=4.0, mix=0.6)(network, batch)

    entropies = nn.functional.cross_entropy(network(images[:3]), labels[:3], reduction="sum")
    assert loss.item() == pytest.approx(0.4 * entropies.item() / 4, rel=1e-5)
    assert loss.requires_grad


def test_change_view_shows_a_teacher_what_its_own_preprocessing_would() -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8))
    wanted = InputSpec(24, 16, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

    seen = change_view(normalize(pixels, STUDENT), STUDENT, wanted)

    resized = np.stack(
        [np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR)) for image in pixels.numpy()]
    )
    expected = (torch.from_numpy(resized) / 255 - torch.tensor(wanted.mean)) / torch.tensor(wanted.std)
    torch.testing.assert_close(seen.permute(0, 2, 3, 1), expected, atol=1.5 / 255 / 0.224, rtol=0)
    assert change_view(seen, wanted, dataclasses.replace(wanted, resize=16)) is seen


def save_teacher(path: Path, labels: tuple[str, ...], view: InputSpec = STUDENT) -> nn.Module:
    spec = ModelSpec("mobilenet_v1", 0.1, view.crop, num_classes=len(labels))
    network = create_untrained_model(spec, seed=3)
    save_checkpoint(path, Checkpoint(spec, view, labels), network.state_dict())
    return network


def make_batch(count: int = 3) -> Batch:
    pixels = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (count, 32, 32, 3), np.uint8))
    return Batch(normalize(pixels, STUDENT), torch.zeros(count, dtype=torch.int64), torch.arange(count))


def test_load_teacher_when_classes_are_in_another_order_then_its_answers_are_in_the_datas(tmp_path: Path) -> None:
    network = save_teacher(tmp_path / "teacher.safetensors", ("b", "c", "a"))
    teacher = load_teacher(str(tmp_path / "teacher.safetensors"), ("a", "b", "c"), STUDENT)
    batch = make_batch()

    with torch.no_grad():
        expected: Tensor = network(batch.images)[:, [2, 0, 1]]
    torch.testing.assert_close(teacher(batch), expected)
    assert not teacher(batch).requires_grad
    assert len(teacher.sha256) == 64


def test_load_teacher_when_its_resolution_is_another_then_it_sees_the_view_at_its_own(tmp_path: Path) -> None:
    network = save_teacher(tmp_path / "teacher.safetensors", ("a", "b"), InputSpec(73, 64, (0.4, 0.5, 0.6)))
    teacher = load_teacher(str(tmp_path / "teacher.safetensors"), ("a", "b"), STUDENT)
    batch = make_batch()
    seen: list[tuple[int, ...]] = []
    teacher.network.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))

    answer = teacher(batch)

    assert seen == [(3, 3, 64, 64)]
    with torch.no_grad():
        torch.testing.assert_close(answer, network(change_view(batch.images, STUDENT, teacher.input)))


@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "d"), tuple("abcdefgh")])
def test_load_teacher_when_its_classes_differ_then_both_are_shown(tmp_path: Path, labels: tuple[str, ...]) -> None:
    save_teacher(tmp_path / "teacher.safetensors", labels)

    with pytest.raises(DataError, match=rf"teacher knows '{labels[0]}', '{labels[1]}'.*the data has 'a', 'b', 'c'"):
        load_teacher(str(tmp_path / "teacher.safetensors"), ("a", "b", "c"), STUDENT)


def test_load_teacher_takes_published_weights_as_their_publisher_expects(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(fill(STATES["timm/mobilenetv1_100"]()), path)
    path.with_name("config.json").write_text('{"pretrained_cfg": {"input_size": [3, 64, 64], "crop_pct": 0.8}}')
    classes = [f"n{number:04}" for number in range(1000)]
    batch = make_batch(1)

    teacher = load_teacher(str(path), classes, STUDENT)

    assert teacher.input == InputSpec(80, 64)
    assert teacher.spec.activation == "relu6"
    network = load_outside_weights(str(path), ModelSpec("mobilenet_v1", resolution=64)).module
    with torch.no_grad():
        expected = network(change_view(batch.images, STUDENT, teacher.input))
    torch.testing.assert_close(teacher(batch), expected, rtol=1e-4, atol=1e-4 * math.ceil(expected.abs().max()))
    with pytest.raises(DataError, match="teacher knows 1000 classes, the data has 'a', 'b'"):
        load_teacher(str(path), ("a", "b"), STUDENT)


def test_load_teacher_when_there_is_none_then_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no checkpoint here"):
        load_teacher(str(tmp_path / "nothing.safetensors"), ("a", "b"), STUDENT)

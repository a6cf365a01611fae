import json
import pickle
import shlex
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from mobisdk.errors import ConfigError, DataError
from mobisdk.models.checkpoint import (
    SCHEMA,
    Checkpoint,
    load_checkpoint,
    load_model,
    load_weights_,
    read_checkpoint_spec,
    save_checkpoint,
    weights_sha256,
)
from mobisdk.models.untrained import create_untrained_model
from mobisdk.specs import InputSpec, ModelSpec

SPEC = ModelSpec(alpha=0.125, resolution=32, num_classes=3)
CHECKPOINT = Checkpoint(
    SPEC,
    InputSpec.for_resolution(32),
    labels=("cat", "dog", "Übergröße"),
    compression=({"method": "prune", "sparsity": 0.5},),
    origin={"run": "first", "epoch": 3},
    metrics={"top1": 0.75},
)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return create_untrained_model(SPEC, seed=0).state_dict()


@pytest.fixture
def path(tmp_path: Path, state: dict[str, Tensor]) -> Path:
    path = tmp_path / "network.safetensors"
    save_checkpoint(path, CHECKPOINT, state)
    return path


def write_header(path: Path, header: Any) -> None:
    text = header if isinstance(header, str) else json.dumps(header)
    path.write_bytes(safetensors.torch.save({"weight": torch.zeros(1)}, {"mobisdk": text}))


def whole_header() -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "model": {"arch": "mobilenet_v1", "resolution": 32, "num_classes": 2},
        "input": {"resize": 37, "crop": 32},
        "labels": ["a", "b"],
        "compression": [],
        "origin": {},
        "metrics": {},
    }


def test_what_is_saved_is_loaded(path: Path, state: dict[str, Tensor]) -> None:
    checkpoint, loaded = load_checkpoint(path, expected=SPEC)

    assert checkpoint == CHECKPOINT
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    assert [file.name for file in path.parent.iterdir()] == ["network.safetensors"]


def test_the_network_comes_back_with_its_weights_and_the_generators_stay(path: Path) -> None:
    before = torch.get_rng_state()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    heard = []

    checkpoint, model = load_model(path, restructure_=lambda network, records: heard.append((type(network), records)))

    assert checkpoint.model == SPEC
    assert heard == [(type(model), CHECKPOINT.compression)]
    assert not model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(model(images), create_untrained_model(SPEC, seed=0)(images))


def test_a_compressed_network_is_not_built_as_if_it_were_none(path: Path) -> None:
    with pytest.raises(DataError, match=r"was compressed, got .*network\.safetensors.*load_network"):
        load_model(path)


def test_the_header_is_read_without_the_weights(path: Path) -> None:
    assert read_checkpoint_spec(path) == CHECKPOINT


def test_equal_checkpoints_are_equal_bytes(path: Path, tmp_path: Path, state: dict[str, Tensor]) -> None:
    save_checkpoint(tmp_path / "again", CHECKPOINT, dict(reversed(state.items())))

    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_weights_of_any_memory_format_are_saved_as_plain_ones(path: Path, tmp_path: Path) -> None:
    model = create_untrained_model(SPEC, seed=0).to(memory_format=torch.channels_last)

    save_checkpoint(tmp_path / "channels_last", CHECKPOINT, model.state_dict())

    assert (tmp_path / "channels_last").read_bytes() == path.read_bytes()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no checkpoint here, got '.*absent'"):
        load_checkpoint(tmp_path / "absent")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 8, 9, 500, -1000, -1])
@pytest.mark.parametrize("read", [load_checkpoint, read_checkpoint_spec])
def test_a_truncated_file_is_refused(path: Path, kept: int, read: Any) -> None:
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(DataError, match="the checkpoint is damaged, or is none"):
        read(path)


@pytest.mark.parametrize(
    "content", [b"\x00" * 64, b"\xff" * 64, b"a text and no network", b"{}", b"\x89PNG\r\n\x1a\n" * 9]
)
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "garbage").write_bytes(content)

    with pytest.raises(DataError, match="the checkpoint is damaged, or is none"):
        load_checkpoint(tmp_path / "garbage")


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_without_being_read(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "network.ckpt").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded"), protocol))

    with pytest.raises(DataError, match="a pickled checkpoint can run any code, and was not read"):
        load_checkpoint(tmp_path / "network.ckpt")

    assert not (tmp_path / "exploded").exists()


def test_the_line_that_converts_a_pickle_works_as_printed(tmp_path: Path, state: dict[str, Tensor]) -> None:
    pickled = tmp_path / "it's my network.pth"
    torch.save(state, pickled)
    with pytest.raises(DataError, match="a pickled checkpoint") as caught:
        load_checkpoint(pickled)

    command = shlex.split(str(caught.value.hint).partition(" with: ")[2])
    subprocess.run([sys.executable, "-m", *command], check=True)

    converted = safetensors.torch.load_file(pickled.with_suffix(".safetensors"))
    assert command[0] == "mobisdk"
    assert weights_sha256(converted) == weights_sha256(state)


def test_a_header_whose_length_looks_like_a_pickle_is_no_pickle(tmp_path: Path, state: dict[str, Tensor]) -> None:
    """The file begins with its header's length, and 0x0280 is how a pickle of protocol 2 begins."""
    path, note = tmp_path / "network.safetensors", ""
    weight = {"weight": torch.zeros(1)}
    while not path.exists() or struct.unpack("<Q", path.read_bytes()[:8])[0] < 0x0280:
        save_checkpoint(path, Checkpoint(SPEC, InputSpec(32, 32), ("a", "b", "c"), origin={"note": note}), weight)
        note += "x"

    assert path.read_bytes().startswith(b"\x80\x02")
    assert read_checkpoint_spec(path).model == SPEC


def test_plain_safetensors_are_refused_and_the_way_on_is_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    plain = tmp_path / "plain.safetensors"
    safetensors.torch.save_file({name: tensor.clone() for name, tensor in state.items()}, plain)

    with pytest.raises(DataError, match=r"does not say of which network.*save_checkpoint\(path, Checkpoint\("):
        load_checkpoint(plain)


def test_another_spec_is_refused_and_each_difference_named(path: Path) -> None:
    expected = ModelSpec(alpha=0.5, resolution=64, num_classes=3)

    with pytest.raises(DataError, match=r"alpha is 0\.125, not 0\.5; resolution is 32, not 64, got '.*safetensors'"):
        load_checkpoint(path, expected=expected)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": "mobisdk.checkpoint/2"}, "of another schema"),
        ({"model": {"arch": "mobilenet_v1", "depth": 3}}, "ModelSpec has no such field"),
        ({"model": {"arch": "mobilenet_v1", "alpha": -1}}, "alpha must be a number"),
        ({"model": 5}, "header is wrong"),
        ({"input": {"resize": 37}}, "InputSpec lacks crop"),
        ({"input": {"resize": 64, "crop": 64}}, "crop must be the network's resolution"),
        ({"labels": ["a"]}, "needs a label a class"),
        ({"labels": ["a", "b\nc"]}, "one line of text"),
        ({"labels": ["a", 3]}, "one line of text"),
        ({"labels": None}, "header is wrong"),
        ({"compression": [3]}, "compression must be JSON objects"),
        ({"origin": []}, "origin must be a JSON object"),
        ({"metrics": "high"}, "metrics must be a JSON object"),
        ({"surprise": 1}, "unexpected keyword argument 'surprise'"),
    ],
)
def test_a_header_with_a_wrong_value_is_refused(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    write_header(tmp_path / "network", whole_header() | change)

    with pytest.raises(DataError, match=complaint):
        read_checkpoint_spec(tmp_path / "network")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_a_header_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    write_header(tmp_path / "network", text)

    with pytest.raises(DataError, match="header is wrong"):
        read_checkpoint_spec(tmp_path / "network")


@pytest.mark.parametrize("key", sorted(whole_header().keys() - {"origin", "metrics"}))
def test_a_header_that_lacks_a_key_is_refused(tmp_path: Path, key: str) -> None:
    write_header(tmp_path / "network", {name: value for name, value in whole_header().items() if name != key})

    with pytest.raises(DataError, match=key):
        read_checkpoint_spec(tmp_path / "network")


def test_every_weight_that_does_not_fit_is_named(state: dict[str, Tensor]) -> None:
    wrong = dict(state)
    del wrong["stem.conv.weight"], wrong["stem.norm.bias"]
    wrong["head.weight"] = torch.zeros(1)
    wrong["classifier.weight"] = torch.zeros(4, 128)
    wrong["classifier.bias"] = torch.zeros(3, dtype=torch.float16)
    model = create_untrained_model(SPEC, seed=1)
    before = weights_sha256(model.state_dict())

    with pytest.raises(DataError) as caught:
        load_weights_(model, wrong)

    assert str(caught.value) == (
        "the weights do not fit MobileNetV1: stem.conv.weight is missing; stem.norm.bias is missing; "
        "head.weight is left over; classifier.weight is float32[4, 128], not float32[3, 128]; "
        "classifier.bias is float16[3], not float32[3]"
    )
    assert weights_sha256(model.state_dict()) == before


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(
    path: Path, state: dict[str, Tensor], value: float
) -> None:
    whole = path.read_bytes()
    broken = {**state, "stem.conv.weight": state["stem.conv.weight"].clone().fill_(value)}

    with pytest.raises(DataError, match=r"weights are NaN or infinite: stem\.conv\.weight"):
        save_checkpoint(path, CHECKPOINT, broken)
    assert path.read_bytes() == whole

    header = safetensors.safe_open(path, framework="pt").metadata()
    path.write_bytes(safetensors.torch.save(broken, header))
    with pytest.raises(DataError, match=r"weights are NaN or infinite: stem\.conv\.weight"):
        load_checkpoint(path)


@pytest.mark.parametrize("metrics", [{"loss": float("nan")}, {"loss": torch.tensor(1.0)}])
def test_metrics_that_json_cannot_hold_are_refused(
    tmp_path: Path, state: dict[str, Tensor], metrics: dict[str, Any]
) -> None:
    checkpoint = Checkpoint(SPEC, InputSpec(32, 32), ("a", "b", "c"), metrics=metrics)

    with pytest.raises(ConfigError, match="must be JSON"):
        save_checkpoint(tmp_path / "network", checkpoint, state)

    assert list(tmp_path.iterdir()) == []


def test_the_hash_is_of_names_types_shapes_and_values_in_any_order() -> None:
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7)}
    same = {"b": torch.tensor(7), "a": torch.arange(6.0).reshape(3, 2).T.contiguous().T.reshape(2, 3)}
    others = [
        {"a": weights["a"], "c": weights["b"]},
        {"a": weights["a"].reshape(3, 2), "b": weights["b"]},
        {"a": weights["a"].double(), "b": weights["b"]},
        {"a": weights["a"].view(torch.int32), "b": weights["b"]},
        {"a": -weights["a"], "b": weights["b"]},
        {"a": weights["a"]},
    ]

    hashes = [weights_sha256(state) for state in (weights, *others)]

    assert weights_sha256(same) == hashes[0]
    assert len(set(hashes)) == len(hashes)
    assert weights_sha256({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of nothing

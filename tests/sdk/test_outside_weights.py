"""Published weights. `published_logits.json` holds what the publishers' own code answers, in float64, on the values
that `published_states.fill` gives their state dicts."""

import json
import re
import shutil
from pathlib import Path

import httpx2
import pytest
import safetensors.torch
import torch
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError
from tests.sdk.published_states import STATES, fill

from mobisdk.errors import DataError, UnsupportedError
from mobisdk.models import create_model, outside_weights, published_keys
from mobisdk.models.outside_weights import load_outside_weights, recognize_spec
from mobisdk.models.publications import PUBLICATIONS
from mobisdk.specs import InputSpec, ModelSpec

LOGITS = json.loads(Path(__file__).with_name("published_logits.json").read_text())["networks"]
SQUEEZENET = ModelSpec("squeezenet_1_1", resolution=65)


def resolution_of(arch: str) -> int:
    return 75 if arch == "inception_v3" else 65  # odd: "same" padding differs there


@pytest.fixture
def squeezenet(tmp_path: Path) -> Path:
    path = tmp_path / "squeezenet.safetensors"
    safetensors.torch.save_file(fill(STATES["torchvision/squeezenet1_1"]()), path)
    return path


@pytest.mark.parametrize("publication", PUBLICATIONS, ids=lambda publication: publication.name)
def test_published_weights_give_the_publishers_logits(publication, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(fill(STATES[publication.name]()), path)
    size = resolution_of(publication.arch)

    network = load_outside_weights(str(path), ModelSpec(publication.arch, resolution=size), publication.name)

    images = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        logits = network.module.double()(images.double())[0]
    expected = torch.tensor(LOGITS[publication.name], dtype=torch.float64)
    torch.testing.assert_close(logits[: len(expected)], expected, rtol=2e-5, atol=2e-5 * logits.abs().max().item())
    assert network.publication == publication.name
    assert network.dropped_head is None
    recognized = recognize_spec(str(path))
    assert (recognized.arch, recognized.alpha, recognized.num_classes) == (publication.arch, 1.0, 1000)


def test_an_optional_part_may_be_missing(tmp_path: Path) -> None:
    """timm's own Inception v3 files have no auxiliary head."""
    state = {name: tensor for name, tensor in fill(STATES["torchvision/inception_v3"]()).items() if "Aux" not in name}
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")

    network = load_outside_weights(str(tmp_path / "model.safetensors"), ModelSpec("inception_v3", resolution=75))

    assert network.module(torch.rand(1, 3, 75, 75)).shape == (1, 1000)


def test_other_classes_drop_the_head_and_keep_the_rest(squeezenet: Path) -> None:
    spec = ModelSpec("squeezenet_1_1", resolution=65, num_classes=7)

    network = load_outside_weights(str(squeezenet), spec)

    assert network.dropped_head == 1000
    assert network.module(torch.rand(1, 3, 65, 65)).shape == (1, 7)
    published = safetensors.torch.load_file(squeezenet)
    assert torch.equal(network.module.stem[0].weight, published["features.0.weight"])


def test_every_name_that_does_not_fit_is_told(squeezenet: Path, tmp_path: Path) -> None:
    state = safetensors.torch.load_file(squeezenet)
    del state["features.3.squeeze.bias"]
    state["features.99.weight"] = torch.zeros(1)
    state["features.4.squeeze.weight"] = torch.zeros(16, 64, 1, 1)
    bad = tmp_path / "bad.safetensors"
    safetensors.torch.save_file(state, bad)

    with pytest.raises(DataError) as caught:
        load_outside_weights(str(bad), SQUEEZENET)

    sentence = str(caught.value)
    assert "do not fit squeezenet_1_1 as torchvision/squeezenet1_1 publishes it" in sentence
    assert "features.3.squeeze.bias is missing" in sentence
    assert "features.99.weight is left over" in sentence
    assert "features.4.squeeze.weight is [16, 64, 1, 1], not [16, 128, 1, 1]" in sentence


def test_weights_of_another_architecture_are_refused(squeezenet: Path) -> None:
    with pytest.raises(DataError, match=r"do not fit mobilenet_v2.* is missing.*and \d+ more.*Name another --arch"):
        load_outside_weights(str(squeezenet), ModelSpec("mobilenet_v2", resolution=65))


def test_an_architecture_that_nobody_publishes_names_those_that_are(squeezenet: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"got 'flattened'; allowed: inception_v3, mobilenet_v1, "):
        load_outside_weights(str(squeezenet), ModelSpec("flattened"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there are no weights here"),
        (b"", "the weights are damaged, or no safetensors file"),
        (b"PK\x03\x04" + bytes(40), r"a pickled checkpoint can run any code.*mobisdk weights convert .*\.safetensors"),
        (b"\x80\x02}q\x00.", r"a pickled checkpoint can run any code"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(content: bytes | None, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DataError, match=sentence):
        load_outside_weights(str(path), SQUEEZENET)


def test_the_publishers_config_says_which_form_and_how_images_are_normalized(tmp_path: Path) -> None:
    safetensors.torch.save_file(fill(STATES["timm/tf_mobilenetv3_small_100"]()), tmp_path / "model.safetensors")
    config = {
        "architecture": "tf_mobilenetv3_small_100",
        "pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7], "crop_pct": 0.95},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    network = load_outside_weights(str(tmp_path / "model.safetensors"), ModelSpec("mobilenet_v3_small", resolution=95))

    assert network.publication == "timm/tf_mobilenetv3_small_100"
    assert (network.spec.padding, network.spec.norm_epsilon) == ("same", 1e-3)
    assert network.input == InputSpec(100, 95, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))


class FakeHub:
    """What huggingface_hub's downloads answer, without a network."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str]] = []

    def download(self, repository: str, file: str) -> str:
        self.asked.append((repository, file))
        if self.folder is None or not (self.folder / file).exists():
            raise LocalEntryNotFoundError("offline")
        return str(self.folder / file)


def test_the_hub_is_asked_for_the_file_that_is_named(squeezenet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub(squeezenet.parent)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub.download)

    load_outside_weights(f"hf://owner/name/{squeezenet.name}", SQUEEZENET)
    with pytest.raises(DataError, match=r"the hub cannot be reached, and its cache has no copy.*Go online once"):
        load_outside_weights("hf://owner/name", SQUEEZENET)

    assert ("owner/name", squeezenet.name) in hub.asked
    assert hub.asked[-1] == ("owner/name", "model.safetensors")


def test_without_a_network_the_cached_copy_is_used(
    squeezenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path / "models--owner--name"  # as huggingface_hub lays it out
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    (cached / "snapshots" / ("0" * 40)).mkdir(parents=True)
    shutil.copy(squeezenet, cached / "snapshots" / ("0" * 40) / "model.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr("time.sleep", lambda _: None)  # between attempts

    network = load_outside_weights("hf://owner/name", SQUEEZENET)

    expected = load_outside_weights(str(squeezenet), SQUEEZENET)
    assert all(map(torch.equal, network.module.state_dict().values(), expected.module.state_dict().values()))


def test_a_name_that_the_hub_does_not_know_is_told_apart_from_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(repository: str, file: str) -> str:
        request = httpx2.Request("GET", f"https://hub/{repository}/{file}")
        raise RepositoryNotFoundError("404 Client Error", response=httpx2.Response(404, request=request))

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)

    with pytest.raises(DataError, match=r"the hub has no such file \(404 Client Error"):
        load_outside_weights("hf://owner/nobody", SQUEEZENET)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("hf://owner", "a hub address has an owner and a name"),
        ("hf://owner/name/weights.bin", "only safetensors are read from the hub"),
        ("hf://owner/na me", "the hub has no such file"),
    ],
)
def test_bad_hub_addresses_are_refused(source: str, sentence: str) -> None:
    with pytest.raises(DataError, match=re.escape(sentence)):
        load_outside_weights(source, SQUEEZENET)


def test_every_publication_is_tested() -> None:
    assert {publication.name for publication in outside_weights.PUBLICATIONS} == set(STATES) == set(LOGITS)


def test_recognize_spec_reads_alpha_from_shapes_and_resolution_from_the_publishers_config(tmp_path: Path) -> None:
    with torch.device("meta"):
        model = create_model(ModelSpec("mobilenet_v2", 0.5, num_classes=7))
    names = published_keys.timm_mobilenet_v2()
    state = {}
    for name, tensor in model.state_dict().items():
        module, _, part = name.rpartition(".")
        state[f"{names[module]}.{part}"] = torch.zeros(tensor.shape, dtype=tensor.dtype)
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    config = {"architecture": "mobilenetv2_050", "pretrained_cfg": {"input_size": [3, 192, 192]}}
    (tmp_path / "config.json").write_text(json.dumps(config))

    spec = recognize_spec(str(tmp_path / "model.safetensors"))

    assert spec == ModelSpec("mobilenet_v2", 0.5, 192, num_classes=7)


def test_recognize_spec_when_nobody_publishes_such_weights_then_unsupported(tmp_path: Path) -> None:
    safetensors.torch.save_file({"layer.weight": torch.zeros(3, 3)}, tmp_path / "other.safetensors")

    with pytest.raises(UnsupportedError, match=r"no network known here.*mobisdk weights list"):
        recognize_spec(str(tmp_path / "other.safetensors"))

from pathlib import Path

import pytest
import torch

from mobisdk.errors import DataError
from mobisdk.training.state import SafetensorsIO


def test_state_comes_back_with_numbers_for_keys_and_its_layout_in_memory(tmp_path: Path) -> None:
    filters = torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)
    checkpoint = {
        "epoch": 3,
        "optimizer_states": [{"state": {0: {"momentum_buffer": filters, "step": torch.tensor(5.0)}, 1: {}}}],
        "loops": {"fit_loop": {"done": True, "rate": 0.1, "name": None}},
    }

    SafetensorsIO().save_checkpoint(checkpoint, tmp_path / "state.safetensors")
    loaded = SafetensorsIO().load_checkpoint(tmp_path / "state.safetensors")

    momentum = loaded["optimizer_states"][0]["state"][0].pop("momentum_buffer")
    assert torch.equal(momentum, filters)
    assert momentum.stride() == filters.stride()
    assert loaded["optimizer_states"][0]["state"] == {0: {"step": torch.tensor(5.0)}, 1: {}}
    assert loaded["loops"] == checkpoint["loops"]
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a pickle", b"\x08\0\0\0\0\0\0\0{}      "])
def test_state_when_it_is_none_of_ours_then_data_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.safetensors").write_bytes(content)

    with pytest.raises(DataError, match="cannot be read"):
        SafetensorsIO().load_checkpoint(tmp_path / "state.safetensors")


def test_state_when_it_is_cut_short_then_data_error(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    SafetensorsIO().save_checkpoint({"weights": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(DataError, match="cannot be read"):
        SafetensorsIO().load_checkpoint(path)

"""What several tests of trainings share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sdk.greys import write_greys


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Sums of floats are the same from run to run only in one order."""
    import torch  # most tests here do without it

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def greys(tmp_path: Path) -> Path:
    """Twenty dark and twenty bright images of 32×32."""
    return write_greys(tmp_path / "greys", {"bright": 180, "dark": 20})

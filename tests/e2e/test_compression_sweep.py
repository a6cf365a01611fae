"""Every technique on the smallest network, fine-tuned, exported to both targets, verified and timed.

`make bench-compression-sweep` does it on three larger networks; this is that nothing between the stations is missing.
"""

import json
from pathlib import Path

import pytest
from tests.e2e.compression_chain import run, take_to_both_phones
from tests.sdk.untrained_checkpoint import save_untrained

from mobisdk.compression import list_methods
from mobisdk.specs import ModelSpec

SPEC = ModelSpec("lenet_5", resolution=32, num_classes=10)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_untrained(tmp_path_factory.mktemp("base"), SPEC)


@pytest.mark.parametrize("method", list_methods())
def test_a_technique_reaches_both_phones(method: str, source: Path, tmp_path: Path) -> None:
    assert take_to_both_phones(source, method, tmp_path).stat().st_size > 0


def test_the_report_measures_once_and_is_written_as_a_page(source: Path, tmp_path: Path) -> None:
    run("compress", str(source), "--method", "low_rank", "--name", "small", "--runs", str(tmp_path))

    (first,) = json.loads(run("runs", "report", "--compression", "--runs", str(tmp_path), "--json"))
    page = tmp_path / "page.html"
    told = run("runs", "report", "--compression", "--runs", str(tmp_path), "--html", str(page))

    assert first["measured"] == json.loads((tmp_path / "small" / "measured.json").read_text())
    assert first["gains"] in told
    assert "low_rank" in page.read_text()

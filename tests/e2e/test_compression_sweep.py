"""Every technique on the smallest network, fine-tuned, exported to both targets, verified and timed.

Everything in `make bench-compression` is larger; this is that nothing between the stations is missing.
"""

import json
from pathlib import Path

import pytest
from tests.sdk.untrained_checkpoint import save_untrained
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.compression import list_methods
from mobisdk.specs import ModelSpec

SPEC = ModelSpec("lenet_5", resolution=32, num_classes=10)
SETTINGS = {
    "low_rank": ["--set", "ratio=0.6"],
    "cp": ["--set", "ratio=0.4"],
    # A rounded activation jumps a whole level where float sums in another order differ in their last bit.
    "fixed_point": ["--set", "activations=false"],
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_untrained(tmp_path_factory.mktemp("base"), SPEC)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("method", list_methods())
def test_a_technique_reaches_both_phones(method: str, source: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    run("compress", str(source), "--method", method, "--finetune-epochs", "1", "--name", "small", "--runs", str(runs),
        *SETTINGS.get(method, []))  # fmt: skip
    checkpoint = str(runs / "small" / "last.safetensors")

    for target, recipe in (("android", "xnnpack_fp32"), ("ios", "coreml_fp16")):
        output = tmp_path / target
        run("export", "--target", target, "--recipe", recipe, "--checkpoint", checkpoint, "--output", str(output))
        (bundle,) = output.iterdir()
        run("verify", str(bundle), "--images", "digits", "--limit", "20", "--runs", str(runs))
    (bundle,) = (tmp_path / "android").iterdir()
    log = tmp_path / "log.jsonl"
    run(
        "bench", str(bundle), "--runs", "1", "--samples", "3", "--cold-starts", "0", "--threads", "1", "--log", str(log)
    )
    assert log.stat().st_size > 0


def test_the_report_measures_once_and_is_written_as_a_page(source: Path, tmp_path: Path) -> None:
    run("compress", str(source), "--method", "low_rank", "--name", "small", "--runs", str(tmp_path))

    (first,) = json.loads(run("runs", "report", "--compression", "--runs", str(tmp_path), "--json"))
    page = tmp_path / "page.html"
    told = run("runs", "report", "--compression", "--runs", str(tmp_path), "--html", str(page))

    assert first["measured"] == json.loads((tmp_path / "small" / "measured.json").read_text())
    assert first["gains"] in told
    assert "low_rank" in page.read_text()

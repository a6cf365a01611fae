"""The program as a person meets it: exit statuses, one line an error, nothing half-written."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app

PROGRAM = [sys.executable, "-m", "mobisdk"]
HEAVY = ("torch", "executorch", "coremltools", "lightning", "torchao", "sklearn", "altair")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def start(*arguments: object, cwd: Path) -> "subprocess.Popen[str]":
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `export --json` says of a grid of four."""
    folder = tmp_path_factory.mktemp("exported")
    grid = ("--alpha", "0.25,0.5", "--resolution", "32", "--output", folder / "bundles", "--runs", folder / "runs")
    documents = []
    for target in ("android", "ios"):
        result = run("export", "--target", target, *grid, "--json")
        assert result.exit_code == 0, result.output
        documents += json.loads(result.stdout)
    return {f"{document['recipe']} {document['alpha']:g}": document for document in documents}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["export", "--help"], ["analyze", "--help"]])
def test_start_up_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys, mobisdk.cli\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try:\n    mobisdk.cli.main()\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout


def test_help_when_timed_as_a_whole_process_then_at_most_a_quarter_of_a_second() -> None:
    """Processor time: it is what a person waits on a quiet computer, and other tests running here do not add to it."""

    def measure() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(measure() for _ in range(5)) <= 0.25


def test_help_names_every_command_with_a_whole_sentence() -> None:
    text = run("--help").stdout
    lines = text.partition("Commands:")[2].partition("\n\n")[0].strip().splitlines()
    commands = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert {line.split()[0] for line in lines} == {*commands, *(str(group.name) for group in app.registered_groups)}
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


def test_export_when_it_is_a_grid_then_each_bundle_says_what_it_is(exported: dict[str, Any]) -> None:
    assert sorted(exported) == ["coreml_fp16 0.25", "coreml_fp16 0.5", "xnnpack_fp32 0.25", "xnnpack_fp32 0.5"]
    assert exported["xnnpack_fp32 0.5"]["params"] == exported["coreml_fp16 0.5"]["params"] == 1_331_592
    for document in exported.values():
        assert Path(document["path"]).is_dir()
        assert document["weights_source"] == "random"
    names = {path.name for path in Path(exported["coreml_fp16 0.25"]["path"]).parent.iterdir()}
    assert names == {Path(document["path"]).name for document in exported.values()}


def test_export_when_repeated_then_the_bundle_that_is_there_stays(exported: dict[str, Any]) -> None:
    path = Path(exported["coreml_fp16 0.25"]["path"])
    before = (path / "manifest.json").stat()
    arguments = ("--alpha", "0.25", "--resolution", 32, "--output", path.parent, "--untrained")
    again = run("export", "--target", "ios", *arguments)
    assert again.exit_code == 0
    after = (path / "manifest.json").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_export_when_something_else_has_the_bundles_name_then_it_stays(
    exported: dict[str, Any], tmp_path: Path
) -> None:
    taken = tmp_path / Path(exported["coreml_fp16 0.25"]["path"]).name
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    result = run(
        "export", "--target", "ios", "--alpha", "0.25", "--resolution", 32, "--output", tmp_path, "--untrained"
    )
    assert result.exit_code == 1
    assert "exists and is no whole bundle" in result.output
    assert [path.name for path in tmp_path.rglob("*")] == [taken.name, "mine.txt"]


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["--target", "windows"], ["target is unknown, got 'windows'", "allowed: android, ios"]),
        (["--target", "ios", "--recipe", "coreml_fp61"], ["got 'coreml_fp61'", "Did you mean coreml_fp16?"]),
        (["--target", "ios", "--recipe", "xnnpack_fp32"], ["is for android", "Use --target android"]),
        (["--target", "ios", "--arch", "mobilnet_v1"], ["got 'mobilnet_v1'", "Did you mean mobilenet_v1?"]),
        (["--target", "ios", "--alpha", "0"], ["alpha must be a number, got 0.0", "0 < alpha ≤ 2"]),
        (["--target", "ios", "--alpha", "-1"], ["got -1.0"]),
        (["--target", "ios", "--alpha", "nan"], ["got nan"]),
        (["--target", "ios", "--alpha", "half"], ["got 'half'", "Try --alpha 0.25,0.5"]),
        (["--target", "ios", "--alpha", "0.5,"], ["got ''"]),
        (["--target", "ios", "--alpha", "0.001"], ["without a channel", "allowed: 0.03125 ≤ alpha"]),
        (["--target", "ios", "--resolution", "31"], ["resolution must be a whole number, got 31", "32 to 2048"]),
        (["--target", "ios", "--checkpoint", "none.safetensors"], ["there is no checkpoint here"]),
        (
            ["--target", "ios", "--checkpoint", "pickle.pth"],
            ["can run any code, and was not read", "mobisdk weights convert pickle.pth pickle.safetensors"],
        ),
        (["--target", "ios", "--checkpoint", "cut.safetensors"], ["the checkpoint is damaged"]),
        (["--target", "ios", "--checkpoint", "x", "--untrained"], ["exclude each other"]),
        (
            ["--target", "ios", "--alpha", "0.25", "--resolution", "32", "--output", "file"],
            ["the bundle cannot be written: File exists", "got 'file'"],
        ),
        (
            ["--target", "ios", "--alpha", "0.25", "--resolution", "32", "--output", "/proc/bundles"],
            ["cannot be written", "/proc/bundles"],
        ),
    ],
)
def test_export_when_input_is_bad_then_one_line_and_nothing_is_written(
    arguments: list[str], sentences: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.zeros(2)}, "pickle.pth")
    Path("cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    Path("file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    result = run("export", *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    for sentence in sentences:
        assert sentence in errors[0]
    assert sorted(tmp_path.rglob("*")) == before
    assert Path("file").read_text() == "mine"


EXPORT_SMALL = f"{sys.executable} -m mobisdk export --target android --alpha 0.25 --resolution 32"


def test_export_when_the_disk_is_full_then_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    """A real full disk: a small file system in memory, mounted in a namespace of its own."""
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=600k tmpfs {tmp_path}"
    if subprocess.run([*alone, mount], capture_output=True, check=False).returncode:
        pytest.skip("this system does not let this user mount a file system of its own")
    script = f"{mount} && cd {tmp_path} && {EXPORT_SMALL}; status=$?; find . -type f; exit $status"
    done = subprocess.run([*alone, script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Error: the disk has no room for the bundle" in done.stderr
    assert done.stdout == ""


def test_export_when_the_system_refuses_to_write_on_then_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    script = f"ulimit -f 500; {EXPORT_SMALL}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "Error: the bundle cannot be written: File too large, got 'bundles'" in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["bundles"]


def test_export_when_the_checkpoint_is_of_another_network_then_says_each_difference(tmp_path: Path) -> None:
    from mobisdk.models import create_model
    from mobisdk.models.checkpoint import Checkpoint, save_checkpoint
    from mobisdk.specs import InputSpec, ModelSpec

    spec = ModelSpec(alpha=0.25, resolution=32, num_classes=2)
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, Checkpoint(spec, InputSpec(32, 32), ("cat", "dog")), create_model(spec).state_dict())
    result = run("export", "--target", "ios", "--alpha", "0.5", "--checkpoint", path, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert "alpha is 0.25, not 0.5" in result.stderr
    assert list(tmp_path.iterdir()) == [path]


def test_usage_error_exits_with_two() -> None:
    assert run("export").exit_code == 2
    assert run("export", "--target", "ios", "--alhpa", "1").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_debug_shows_the_trace_wherever_it_stands(tmp_path: Path) -> None:
    for arguments in (["--debug", "export", "--target", "x"], ["export", "--target", "x", "--debug"]):
        done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("Error: target is unknown")


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_export_when_stopped_then_nothing_is_half_written(how: signal.Signals, status: int, tmp_path: Path) -> None:
    process = start("export", "--target", "ios", "--resolution", 64, cwd=tmp_path)
    assert process.stderr is not None
    for line in process.stderr:  # the toolchain begins to work after this line
        if "untrained weights" in line:
            break
    process.send_signal(how)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == status, stderr
    left = [path for path in tmp_path.rglob("*") if path.name != "bundles"]
    assert left == []


def test_verify_when_all_is_well_then_says_what_was_checked(exported: dict[str, Any]) -> None:
    paths = [document["path"] for document in exported.values()]
    result = run("verify", *paths, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["ok"]
    for bundle in document["bundles"]:
        names = ["hashes", "preprocessing", "golden", "delegation", "Neural Engine"]
        assert [check["name"] for check in bundle["checks"]] == names[: 5 if "coreml" in bundle["path"] else 4]


def test_verify_when_zipped_or_tampered_then_tells_which(exported: dict[str, Any], tmp_path: Path) -> None:
    from mobisdk.bundle import pack_bundle, read_bundle

    bundle = read_bundle(Path(exported["xnnpack_fp32 0.25"]["path"]))
    whole, tampered = tmp_path / "whole.zip", tmp_path / "tampered.zip"
    pack_bundle(bundle, whole)
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 1
    tampered.write_bytes(content)
    result = run("verify", whole, tampered)
    assert result.exit_code == 1
    assert result.stdout.count("FAIL") == 1
    assert result.stdout.index("FAIL") > result.stdout.index("tampered.zip")
    assert "do not ship it" in result.stderr


def test_verify_when_the_model_is_another_with_hashes_that_fit_then_the_golden_fails(
    exported: dict[str, Any], tmp_path: Path
) -> None:
    """Whoever can recompute hashes can swap the model; the golden photograph still tells."""
    import shutil

    from mobisdk.bundle import read_bundle, write_bundle

    bundle = read_bundle(Path(exported["xnnpack_fp32 0.25"]["path"]))
    other = read_bundle(Path(exported["xnnpack_fp32 0.5"]["path"]))
    content = tmp_path / "content"
    shutil.copytree(bundle.path, content)
    (content / "manifest.json").unlink()
    shutil.copy(other.path / "model.pte", content / "model.pte")
    swapped = write_bundle(content, bundle.manifest, tmp_path)
    result = run("verify", swapped.path)
    assert result.exit_code == 1
    assert "FAIL golden" in result.stdout


@pytest.mark.parametrize("name", ["xnnpack_fp32 0.25", "coreml_fp16 0.25"])
def test_classify_when_given_a_photograph_then_five_labels_with_milliseconds(
    exported: dict[str, Any], name: str
) -> None:
    path = Path(exported[name]["path"])
    result = run("classify", path, path / "golden_image.png", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    probabilities = [rank["probability"] for rank in document["top"]]
    assert len(probabilities) == 5
    assert probabilities == sorted(probabilities, reverse=True)
    assert document["inference_ms"] > 0
    assert "untrained" in result.stderr
    assert "likeliest" not in run("classify", path, path / "golden_image.png").stdout


def test_classify_when_the_image_is_none_then_one_line(exported: dict[str, Any], tmp_path: Path) -> None:
    path = Path(exported["xnnpack_fp32 0.25"]["path"])
    for image in (tmp_path / "missing.jpg", path / "labels.txt"):
        result = run("classify", path, image)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
        assert image.name in result.stderr


def test_doctor_when_all_is_installed_then_exits_with_zero() -> None:
    result = run("doctor", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["ok"]
    found = {finding["name"]: finding for finding in document["findings"]}
    assert found["torch"]["found"].startswith("2.13.0")
    assert {"Python", "executorch", "coremltools", "adb", "Xcode"} <= set(found)
    for finding in document["findings"]:
        assert finding["ok"] or finding["fix"]
    assert "Next: mobisdk quickstart" in run("doctor").stdout


def test_doctor_when_a_package_is_missing_or_of_another_version_then_says_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import importlib.metadata

    versions = {"coremltools": "8.0"}
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "executorch":
            raise importlib.metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    result = run("doctor", "--json")
    assert result.exit_code == 1
    found = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert not found["executorch"]["ok"]
    assert found["executorch"]["fix"] == "pip install 'executorch==1.4.1'"
    assert found["coremltools"]["fix"] == "pip install 'coremltools==9.0'"
    assert "Mend first" in run("doctor").stdout


def test_output_when_the_reader_goes_away_then_no_trace(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*PROGRAM, "doctor", "--json"], stdout=write, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path
    )
    os.close(write)
    assert "Traceback" not in done.stderr

"""A technique from a checkpoint to both phones, as a person takes it there."""

from pathlib import Path

from typer.testing import CliRunner

from mobisdk.cli.app import app

SETTINGS = {
    "low_rank": ["--set", "ratio=0.6"],
    "cp": ["--set", "ratio=0.4"],
    # An activation of few levels jumps a whole one where sums in another order differ in their last bit.
    "binary": ["--set", "activations=true"],
    "low_bits": ["--set", "activation_bits=2"],
}


class ChainError(Exception):
    """A command that failed, and what it said."""


def run(*arguments: str) -> str:
    """What a command prints.

    Raises:
        ChainError: its status is not 0.
    """
    result = CliRunner().invoke(app, list(arguments))
    if result.exit_code != 0:
        raise ChainError(f"mobisdk {' '.join(arguments[:2])}: {result.output} {result.exception or ''}")
    return result.stdout


def take_to_both_phones(source: Path, method: str, folder: Path) -> Path:
    """Compress, fine-tune for an epoch, export to both targets, verify on digits, and time; gives the latency log.

    Raises:
        ChainError: a command failed.
    """
    runs, log = folder / "runs", folder / "log.jsonl"
    run("compress", str(source), "--method", method, "--finetune-epochs", "1", "--name", "small", "--runs", str(runs),
        *SETTINGS.get(method, []))  # fmt: skip
    checkpoint = str(runs / "small" / "last.safetensors")
    for target, recipe in (("android", "xnnpack_fp32"), ("ios", "coreml_fp16")):
        output = folder / target
        run("export", "--target", target, "--recipe", recipe, "--checkpoint", checkpoint, "--output", str(output))
        (bundle,) = output.iterdir()
        run("verify", str(bundle), "--images", "digits", "--limit", "20", "--runs", str(runs))
    (bundle,) = (folder / "android").iterdir()
    run(
        "bench", str(bundle), "--runs", "1", "--samples", "3", "--cold-starts", "0", "--threads", "1", "--log", str(log)
    )
    return log

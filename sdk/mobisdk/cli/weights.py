"""`mobisdk weights`: weights that somebody else published, as files that are safe to read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobisdk.cli.console import Json, print_json, say, stdout
from mobisdk.errors import DataError

if TYPE_CHECKING:
    from mobisdk.specs import ModelSpec

weights_app = typer.Typer(
    name="weights",
    help="Weights that others published, and out of pickles.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@weights_app.command("list")
def list_publications(json: Json = False) -> None:
    """Whose weights fit which architecture."""
    from rich import box
    from rich.table import Table

    from mobisdk.models.publications import PUBLICATIONS

    if json:
        rows = [{"name": each.name, "arch": each.arch, "changes": dict(each.changes)} for each in PUBLICATIONS]
        return print_json({"publications": rows})
    table = Table("published as", "architecture", "expects", box=box.SIMPLE_HEAD, pad_edge=False)
    for each in PUBLICATIONS:
        table.add_row(each.name, each.arch, ", ".join(f"{key} {value}" for key, value in each.changes.items()))
    return stdout().print(table)


@weights_app.command("convert")
def convert(
    source: Annotated[Path, typer.Argument(help="A .pth or .pt file with a state dict.")],
    target: Annotated[Path, typer.Argument(help="The .safetensors file to write.")],
    json: Json = False,
) -> None:
    """Turn a state dict out of a pickle into safetensors, in a process of its own that runs no code of the pickle."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    if target.suffix != ".safetensors":
        raise DataError("the target must be a safetensors file", got=str(target), allowed="NAME.safetensors")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        try:
            tensors = executor.submit(convert_pickle, source, target).result()
        except BrokenProcessPool as error:
            raise DataError("reading the pickle ended its process, and nothing was written", got=str(source)) from error
    if json:
        return print_json({"path": str(target), "tensors": tensors})
    say(f"{target}: {tensors} tensors.")
    return say(f"Next: mobisdk export --target android --arch NAME --weights {target}")


@weights_app.command("unpack")
def unpack(
    source: Annotated[Path, typer.Argument(help="A .mdc file, as `mobisdk compress` writes it.")],
    target: Annotated[Path, typer.Argument(help="The .safetensors checkpoint to write.")],
    json: Json = False,
) -> None:
    """Make a checkpoint out of a packed one, bit for bit."""
    from mobisdk.compression.packed_checkpoint import read_packed
    from mobisdk.models.checkpoint import save_checkpoint

    if target.suffix != ".safetensors":
        raise DataError("the target must be a safetensors file", got=str(target), allowed="NAME.safetensors")
    checkpoint, state, sizes = read_packed(source)
    save_checkpoint(target, checkpoint, state)
    if json:
        return print_json({"path": str(target), "tensors": len(state), "shared": len(sizes)})
    say(f"{target}: {len(state)} tensors, {len(sizes)} of them out of shared weights.")
    return say(f"Next: mobisdk export --target ios --recipe coreml_own_codes --checkpoint {target}")


def convert_pickle(source: Path, target: Path) -> int:
    """Read a state dict with `weights_only=True`, write it, and return the number of its tensors.

    Raises:
        DataError: the file is missing, is no pickle of tensors alone, or holds none.
    """
    import pickle
    import warnings

    import safetensors.torch
    import torch

    from mobisdk.files import write_atomically

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of old protocols; what matters is that nothing runs
            loaded = torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError("there are no weights here", got=str(source)) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        reason = (str(error).splitlines() or ["it is empty"])[0][:200]
        raise DataError(
            f"this is no pickle of weights alone, and nothing of it was run ({reason})", got=str(source)
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    state = {
        str(name).removeprefix("module."): tensor.contiguous().clone()
        for name, tensor in (loaded.items() if isinstance(loaded, dict) else ())
        if isinstance(tensor, torch.Tensor)
    }
    if not state:
        raise DataError("the file holds no state dict", got=str(source), allowed="names and tensors")
    write_atomically(target, safetensors.torch.save(state))
    return len(state)


def import_weights(source: str, spec: "ModelSpec", folder: Path) -> Path:
    """Make a checkpoint of published weights in `folder`, and say what was changed; return its path.

    Raises:
        MobiError: as `mobisdk.models.outside_weights.load_outside_weights`.
    """
    from mobisdk.models.checkpoint import Checkpoint, save_checkpoint, weights_sha256
    from mobisdk.models.outside_weights import load_outside_weights

    network = load_outside_weights(source, spec)
    say(f"{spec.name}: the weights of {source}, as {network.publication} publishes them.")
    if network.dropped_head is not None:
        say(
            f"Their classifier of {network.dropped_head} classes was left out; a new one of {spec.num_classes} is "
            "untrained: its labels mean nothing before it is trained."
        )
    state = network.module.state_dict()
    checkpoint = Checkpoint(
        network.spec,
        network.input,
        tuple(str(number) for number in range(spec.num_classes)),
        origin={"hub": source, "publication": network.publication},
    )
    path = folder / f"{spec.name}-{weights_sha256(state)[:16]}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, checkpoint, state)
    return path

"""Weights that somebody else published, for the architectures here."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from mobisdk.errors import DataError, UnsupportedError
from mobisdk.models.checkpoint import refuse_pickle
from mobisdk.models.publications import PUBLICATIONS, Publication
from mobisdk.models.registry import create_model
from mobisdk.models.untrained import create_untrained_model
from mobisdk.specs import InputSpec, ModelSpec

HUB_PREFIX = "hf://"
_CONFIG_NAME = "config.json"
_DEFAULT_FILE = "model.safetensors"
_NAMES_SHOWN = 12
_PUBLISHED_ALPHAS = (1.0, 0.75, 0.5, 0.25, 0.35, 1.1, 1.2, 1.25, 1.4)
_TRIED = 3
"""Publications, the likeliest first: those of one architecture share most names."""


@dataclasses.dataclass(frozen=True)
class OutsideNetwork:
    """A network with published weights."""

    module: nn.Module
    spec: ModelSpec
    input: InputSpec
    publication: str
    dropped_head: int | None
    """Classes of the published classifier, where another number was asked for and it begins anew."""


def load_outside_weights(source: str, spec: ModelSpec, publication: str | None = None) -> OutsideNetwork:
    """Build the network of `spec` with the weights of a file or of `hf://owner/name[/file]`, in evaluation mode.

    The spec's padding, activation and epsilon become those that the weights expect, and so does the normalization of
    images. `publication` names the publisher's form where the names of weights alone do not tell it.

    Raises:
        UnsupportedError: nobody known here publishes this architecture.
        DataError: the file is missing, damaged, a pickle, or of another architecture or width; every name that does not
            fit is listed. The hub has no such file, or cannot be reached and no copy is in its cache.
    """
    path, config = _fetch(source)
    state = _read(path)
    candidates = _find_publications(spec.arch, publication or _named_in(config))
    fitting = max(candidates, key=lambda candidate: len(_wanted_names(candidate) & state.keys()))
    adapted = fitting.adapt(spec)
    model = create_untrained_model(adapted, seed=0)
    dropped = _load_(model, state, fitting, source)
    input_spec = _configured_input(fitting.input_for(spec.resolution), config)
    return OutsideNetwork(model.eval(), adapted, input_spec, fitting.name, dropped)


def recognize_spec(source: str) -> ModelSpec:
    """Whose network a file's or the hub's weights are: architecture and classes by their names, α by their shapes.

    The resolution is the publisher's where a config.json says it.

    Raises:
        UnsupportedError: no network known here has such weights.
        DataError: the file is missing, damaged or a pickle; the hub has no such file, or cannot be reached.
    """
    path, config = _fetch(source)
    state = _read(path)
    sizes = {name: tensor.numel() for name, tensor in state.items()}
    named = [publication for publication in PUBLICATIONS if publication.name == _named_in(config)]
    for publication in sorted(
        named or PUBLICATIONS, key=lambda candidate: len(_wanted_names(candidate) & state.keys()), reverse=True
    )[:_TRIED]:
        names = publication.keys()
        head = state.get(f"{names['classifier']}.weight")
        if head is None or head.shape[0] < 2:
            continue
        for alpha in _PUBLISHED_ALPHAS:
            spec = ModelSpec(publication.arch, alpha, _configured_resolution(config), num_classes=head.shape[0])
            with torch.device("meta"):
                ours = dict(create_model(spec).named_parameters())
            if all(
                sizes.get(f"{theirs}.weight") == ours[f"{name}.weight"].numel()
                for name, theirs in names.items()
                if not name.startswith(publication.optional)
            ):
                return spec
    raise UnsupportedError(
        "these are the weights of no network known here",
        got=source,
        allowed="a checkpoint of mobisdk, or what `mobisdk weights list` names",
    )


def _find_publications(arch: str, name: str | None) -> list[Publication]:
    known = [publication for publication in PUBLICATIONS if publication.arch == arch]
    if not known:
        published = sorted({publication.arch for publication in PUBLICATIONS})
        raise UnsupportedError(
            "nobody known here publishes weights of this architecture", got=arch, allowed=", ".join(published)
        )
    named = [publication for publication in known if publication.name == name]
    return named or known


def _wanted_names(publication: Publication) -> set[str]:
    return {f"{theirs}.weight" for theirs in publication.keys().values()}


def _load_(model: nn.Module, state: Mapping[str, Tensor], publication: Publication, source: str) -> int | None:
    """Copy the state into the model; return the classes of a head that was left out."""
    mine = model.state_dict()
    names = publication.keys()
    loaded: dict[str, Tensor] = {}
    complaints: list[str] = []
    used: set[str] = set()
    dropped = None
    for name, tensor in mine.items():
        ours, _, part = name.rpartition(".")
        theirs = f"{names[ours]}.{part}" if ours in names else name
        used.add(theirs)
        if theirs not in state:
            # Older files lack the count of batches, which no network here uses.
            is_optional = part == "num_batches_tracked" or ours.startswith(publication.optional)
            if not is_optional:
                complaints.append(f"{theirs} is missing")
            continue
        value = _reshape(state[theirs], tensor)
        if ours.endswith("classifier") and value.shape[0] != tensor.shape[0]:
            dropped = int(value.shape[0])
            continue
        if value.shape != tensor.shape:
            complaints.append(f"{theirs} is {list(state[theirs].shape)}, not {list(tensor.shape)}")
            continue
        loaded[name] = value.to(tensor.dtype)
    complaints += [f"{name} is left over" for name in state if name not in used]
    if complaints:
        shown = "; ".join(complaints[:_NAMES_SHOWN])
        more = f"; and {len(complaints) - _NAMES_SHOWN} more" if len(complaints) > _NAMES_SHOWN else ""
        raise DataError(
            f"these weights do not fit {publication.arch} as {publication.name} publishes it: {shown}{more}",
            got=source,
            hint="Name another --arch, or the --alpha that they were trained with",
        )
    model.load_state_dict(mine | loaded)
    return dropped


def _reshape(value: Tensor, like: Tensor) -> Tensor:
    """A dense layer that the publisher keeps as a 1×1 convolution, or the other way round."""
    if value.dim() == 4 and like.dim() == 2 and value.shape[2:] == (1, 1):
        return value.flatten(1)
    return value


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError as error:
        raise DataError("there are no weights here", got=str(path)) from error
    except OSError as error:
        raise DataError(f"the weights cannot be read ({error.strerror or error})", got=str(path)) from error
    except safetensors.SafetensorError as error:
        refuse_pickle(path)
        raise DataError(f"the weights are damaged, or no safetensors file ({error})", got=str(path)) from error


def _fetch(source: str) -> tuple[Path, Mapping[str, Any]]:
    """The weights' file, and what the publisher says of them where there is such a file beside."""
    if not source.startswith(HUB_PREFIX):
        path = Path(source)
        return path, _read_config(path.with_name(_CONFIG_NAME))
    owner, _, rest = source.removeprefix(HUB_PREFIX).partition("/")
    name, _, file = rest.partition("/")
    if not owner or not name:
        raise DataError("a hub address has an owner and a name", got=source, allowed="hf://owner/name[/file]")
    path = _download(f"{owner}/{name}", file or _DEFAULT_FILE, source)
    try:
        config = _download(f"{owner}/{name}", _CONFIG_NAME, source)
    except DataError:
        return path, {}
    return path, _read_config(config)


def _download(repository: str, file: str, source: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    if not file.endswith((".safetensors", ".json")):
        raise DataError(
            "only safetensors are read from the hub: a pickle can run any code",
            got=source,
            allowed=f"hf://{repository}/NAME.safetensors",
        )
    try:
        return Path(hf_hub_download(repository, file))
    except LocalEntryNotFoundError as error:
        raise DataError(
            "the hub cannot be reached, and its cache has no copy",
            got=source,
            hint="Go online once, or give a --weights file",
        ) from error
    except (HfHubHTTPError, HFValidationError) as error:
        raise DataError(
            f"the hub has no such file ({str(error).splitlines()[0]})",
            got=source,
            hint="Look the name up at huggingface.co",
        ) from error


def _read_config(path: Path) -> Mapping[str, Any]:
    """timm's config.json; without one, or with another's, the publication's own values hold."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _named_in(config: Mapping[str, Any]) -> str | None:
    name = config.get("architecture")
    return f"timm/{name}" if isinstance(name, str) else None


def _configured_resolution(config: Mapping[str, Any]) -> int:
    values = config.get("pretrained_cfg")
    size = values.get("input_size") if isinstance(values, dict) else None
    return size[-1] if isinstance(size, list) and size and isinstance(size[-1], int) else ModelSpec().resolution


def _configured_input(default: InputSpec, config: Mapping[str, Any]) -> InputSpec:
    """The input of `default`, as the publisher's config.json has it for this very file.

    Raises:
        ConfigError: it says what no input can be.
    """
    values = config.get("pretrained_cfg")
    if not isinstance(values, dict):
        return default
    share = values.get("crop_pct", default.crop / default.resize)
    resize = round(default.crop / share) if isinstance(share, int | float) and 0 < share <= 1 else default.resize
    return InputSpec(resize, default.crop, values.get("mean", default.mean), values.get("std", default.std))

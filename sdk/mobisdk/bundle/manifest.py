"""manifest.json: its schema, its identifiers and its seal (contract 1).

The schema is `manifest.schema.json` beside this file. Three hashes:

- `bundle_id` over the canonical manifest without itself, `created_at`, `manifest_sha256`, `request_sha256` and
  `parity`, which was measured on one host: the same spec, weights, images and toolchain give the same one.
- `variant_id` over what latency depends on; weights are not in it.
- `manifest_sha256` over the file's own bytes with its 64 digits replaced by zeros: any reader in any language can
  check it without writing JSON the way Python does, and no flipped byte passes, white space included.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jsonschema_rs

from mobisdk.errors import BundleError
from mobisdk.specs import ModelSpec

MANIFEST_NAME = "manifest.json"
SCHEMA = "mobisdk.bundle/1"
LARGEST_MANIFEST_BYTES = 1024 * 1024

_SEAL = b'"manifest_sha256": "'
_ZEROS = "0" * 64
_NOT_IN_BUNDLE_ID = ("bundle_id", "created_at", "manifest_sha256", "parity", "request_sha256")


def seal_manifest(manifest: Mapping[str, Any]) -> bytes:
    """Return the bytes of manifest.json, with `bundle_id` and `manifest_sha256` filled in.

    Raises:
        BundleError: a field is missing or wrong; its path is named.
    """
    sealed = {**manifest, "schema": SCHEMA, "manifest_sha256": _ZEROS}
    sealed["bundle_id"] = compute_bundle_id(sealed)
    _check_schema(sealed)
    text = json.dumps(sealed, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    unsealed = text.encode()
    return unsealed.replace(_SEAL + _ZEROS.encode(), _SEAL + hashlib.sha256(unsealed).hexdigest().encode(), 1)


def parse_manifest(content: bytes) -> dict[str, Any]:
    """Read the bytes of a manifest.json that may be hostile.

    Raises:
        BundleError: too large, not JSON, a key twice, a field missing or wrong, or a hash that does not fit.
    """
    if len(content) > LARGEST_MANIFEST_BYTES:
        raise BundleError(f"{MANIFEST_NAME} is too large", got=len(content), allowed="at most 1 MiB")
    try:
        manifest = json.loads(
            content.decode(), object_pairs_hook=_refuse_repeated_keys, parse_constant=_refuse_constant
        )
        _hash(manifest)  # what cannot be written again is refused here: half a surrogate pair, 1e999, great depth
    except (ValueError, RecursionError) as exc:
        raise BundleError(f"{MANIFEST_NAME} is not JSON: {exc}", hint=_EXPORT_AGAIN) from exc
    _check_schema(manifest)
    start = content.find(_SEAL) + len(_SEAL)
    if content.count(_SEAL) != 1:
        raise BundleError(f"{MANIFEST_NAME} must hold manifest_sha256 once, in its own spelling", hint=_EXPORT_AGAIN)
    unsealed = content[:start] + _ZEROS.encode() + content[start + 64 :]
    if hashlib.sha256(unsealed).hexdigest() != manifest["manifest_sha256"]:
        raise BundleError(
            f"{MANIFEST_NAME} was changed after it was written: its hash does not fit", hint=_EXPORT_AGAIN
        )
    if compute_bundle_id(manifest) != manifest["bundle_id"]:
        raise BundleError(f"{MANIFEST_NAME} has a bundle_id of another bundle", got=manifest["bundle_id"])
    return dict(manifest)


def compute_bundle_id(manifest: Mapping[str, Any]) -> str:
    """Hash what makes this bundle this bundle: not when, and not how well it did on one host."""
    return _hash({key: value for key, value in manifest.items() if key not in _NOT_IN_BUNDLE_ID})


def compute_variant_id(
    spec: ModelSpec | Mapping[str, Any], compression: list[dict[str, Any]], recipe: str, toolchain: Mapping[str, str]
) -> str:
    """Hash what latency depends on: the network's shape, the recipe and the toolchain; never weights.

    `spec` is a ModelSpec's fields, or for a module that has none whatever describes its shape.
    """
    values = spec.__dict__ if isinstance(spec, ModelSpec) else spec
    return _hash({"spec": dict(values), "compression": compression, "recipe": recipe, "toolchain": dict(toolchain)})


_EXPORT_AGAIN = "Export it again, or copy it again from where it was whole"


def _hash(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


@functools.cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    text = resources.files(__package__).joinpath("manifest.schema.json").read_text(encoding="utf-8")
    return jsonschema_rs.Draft202012Validator(json.loads(text))


def _check_schema(manifest: Any) -> None:
    error = next(_validator().iter_errors(manifest), None)
    if error is not None:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        raise BundleError(f"{MANIFEST_NAME} is wrong at ${where[:300]}: {error.message[:300]!r}", hint=_EXPORT_AGAIN)


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    merged = dict(pairs)
    if len(merged) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return merged


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")

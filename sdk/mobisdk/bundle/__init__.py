"""Contract 1: the bundle, `mobisdk.bundle/1`: what a phone is given, and how a reader knows that it is whole."""

from mobisdk.bundle.bundle import (
    Bundle,
    bundle_name,
    pack_bundle,
    read_bundle,
    unpack_bundle,
    verify_files,
    write_bundle,
)
from mobisdk.bundle.manifest import compute_bundle_id, compute_variant_id

__all__ = [
    "Bundle",
    "bundle_name",
    "compute_bundle_id",
    "compute_variant_id",
    "pack_bundle",
    "read_bundle",
    "unpack_bundle",
    "verify_files",
    "write_bundle",
]

"""What a bundle's manifest tells a latency run."""

import importlib.metadata

from mobisdk.bundle import Bundle
from mobisdk.errors import UnsupportedError
from mobisdk.latency.record import BundleRef, Placement, RuntimeInfo


def describe_bundle(bundle: Bundle) -> BundleRef:
    """Name what runs."""
    manifest, model = bundle.manifest, bundle.manifest["model"]
    return BundleRef(
        bundle_id=manifest["bundle_id"],
        variant_id=manifest["variant_id"],
        spec=model["spec"],
        arch=model["arch"],
        alpha=model["alpha"],
        resolution=model["resolution"],
        recipe=manifest["target"]["recipe"],
        weights_source=model["weights"]["source"],
    )


def describe_runtime(bundle: Bundle, threads: int) -> RuntimeInfo:
    """Name what runs it: the version is the one installed here, not the one that exported the bundle.

    Raises:
        UnsupportedError: the bundle's runtime is not installed.
    """
    target = bundle.target
    try:
        version = importlib.metadata.version(target.runtime)
    except importlib.metadata.PackageNotFoundError as exc:
        raise UnsupportedError(
            f"{bundle.name} needs a runtime that this computer lacks", got=target.runtime, hint="See `mobisdk doctor`"
        ) from exc
    return RuntimeInfo(target.runtime, version, target.backend, target.compute_units, threads)


def describe_placement(bundle: Bundle) -> Placement:
    """Tell which share of the multiply-adds the artefact hands to its backend; the runtime's own kernels do the rest.

    Both are fixed when the graph is lowered: an artefact whose backend is absent does not load.
    """
    delegated = bundle.delegated_share
    return Placement("method_metadata", {bundle.target.backend: delegated, "portable": 1 - delegated})

"""k-means for codebooks: the same table for the same weights, on every run.

scikit-learn's sums depend on the number of threads. Here they are taken in one order.
"""

import numpy as np
from numpy.typing import NDArray

_ROUNDS_OF_VALUES = 300
_ROUNDS_OF_VECTORS = 25
_BINS = 64
_SAMPLES_A_CENTROID = 64
_ROWS_AT_ONCE = 16384

Clusters = tuple[NDArray[np.floating], NDArray[np.uint8]]
"""The table, and each element's place in it."""


def cluster_values(values: NDArray[np.floating], count: int, first: NDArray[np.float64] | None = None) -> Clusters:
    """`count` values, ascending, that stand for `values` (flat) with a small squared error; at most 256.

    Lloyd's algorithm on the distinct values, from the centroids `first`, ascending, or from ones that are as dense as
    the cube root of the values' density.

    Source: Panter and Dite, Quantization distortion in pulse-count modulation with nonuniform spacing of levels, 1951.
    """
    distinct, places, weights = np.unique(values, return_inverse=True, return_counts=True)
    points = distinct.astype(np.float64)
    if len(points) <= count:
        return np.pad(distinct, (0, count - len(points)), mode="edge"), places.astype(np.uint8)
    mass = np.concatenate([[0], np.cumsum(weights)])
    moment = np.concatenate([[0], np.cumsum(weights * points)])
    centroids = _first_values(points, weights, count) if first is None else first
    edges = np.zeros(count + 1, dtype=np.int64)
    edges[-1] = len(points)
    for _ in range(_ROUNDS_OF_VALUES):
        moved = np.searchsorted(points, (centroids[1:] + centroids[:-1]) / 2)
        if np.array_equal(moved, edges[1:-1]):
            break
        edges[1:-1] = moved
        inside = np.diff(mass[edges])
        centroids = np.where(inside > 0, np.diff(moment[edges]) / np.maximum(inside, 1), centroids)
    table = centroids.astype(values.dtype)
    return table, np.repeat(np.arange(count), np.diff(edges))[places].astype(np.uint8)


def _first_values(points: NDArray[np.float64], weights: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    density, bins = np.histogram(points, bins=_BINS, weights=weights)
    reached = np.concatenate([[0], np.cumsum(np.cbrt(density))])
    result: NDArray[np.float64] = np.interp((np.arange(count) + 0.5) / count * reached[-1], reached, bins)
    return result


def cluster_vectors(vectors: NDArray[np.floating], count: int) -> Clusters:
    """`count` vectors that stand for `vectors` (N,D) with a small squared error; at most 256.

    Lloyd's algorithm from a k-means++ start on a sample.
    """
    distinct = np.unique(vectors, axis=0)
    if len(distinct) <= count:
        table = np.pad(distinct, ((0, count - len(distinct)), (0, 0)), mode="edge")
        return table, _nearest(vectors.astype(np.float32), table.astype(np.float32))
    points = vectors.astype(np.float32)
    centroids = _first_vectors(distinct.astype(np.float32), count)
    places = _nearest(points, centroids)
    for _ in range(_ROUNDS_OF_VECTORS):
        members = np.bincount(places, minlength=count)
        sums = np.stack([np.bincount(places, column, count) for column in points.T.astype(np.float64)], axis=1)
        means = sums / np.maximum(members, 1)[:, None]
        centroids = np.where(members[:, None] > 0, means, centroids).astype(np.float32)
        moved = _nearest(points, centroids)
        if np.array_equal(moved, places):
            break
        places = moved
    return centroids.astype(vectors.dtype), places


def _first_vectors(distinct: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Each next start is drawn with a chance proportional to its squared distance from those before it."""
    random = np.random.default_rng(0)
    sample = random.permutation(distinct)[: count * _SAMPLES_A_CENTROID].astype(np.float64)
    chosen = [sample[0]]
    distances = np.square(sample - chosen[0]).sum(1)
    for _ in range(count - 1):
        reached = np.cumsum(distances)
        chosen.append(sample[np.searchsorted(reached, random.random() * reached[-1], side="right")])
        distances = np.minimum(distances, np.square(sample - chosen[-1]).sum(1))
    return np.array(chosen, dtype=np.float32)


def _nearest(points: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.uint8]:
    lengths = np.square(centroids).sum(1)
    rows = range(0, len(points), _ROWS_AT_ONCE)
    near = [(lengths - 2 * (points[row : row + _ROWS_AT_ONCE] @ centroids.T)).argmin(1) for row in rows]
    return np.concatenate(near).astype(np.uint8)

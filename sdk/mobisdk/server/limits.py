"""How much a client may ask of the server, and what it is told when it asks for more."""

import dataclasses
import time
from collections import OrderedDict
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Limits:
    """Every limit of the server; the defaults suit a lab with a few hundred phones."""

    body_bytes: int = 16 * 2**20
    """Of one upload, as it is sent."""
    decompressed_bytes: int = 64 * 2**20
    compression_ratio: int = 200
    """Applied past `ratio_free_bytes`: a log of equal runs compresses well, a bomb a thousandfold."""
    ratio_free_bytes: int = 2**20
    lines: int = 10_000
    small_body_bytes: int = 16 * 1024
    """Of everything that is no upload."""
    bodies_bytes: int = 256 * 2**20
    """Of all uploads together that are being read."""
    body_seconds: float = 60
    """Between the first byte of a body and its last."""
    headers_seconds: float = 10
    """Between a request's first byte, or the connection, and its last header."""
    read_seconds: float = 60
    """For which a client may read nothing of an answer that waits for it."""
    idle_seconds: int = 60
    """For which a connection is kept for the next request."""
    requests_a_minute: int = 6000
    """Of one token."""
    requests_a_minute_by_address: int = 30_000
    refusals_a_minute: int = 60
    """Of one address without a good token: whoever guesses is slowed down."""
    connections_by_address: int = 256
    connections: int = 2048
    streams: int = 64
    """Pages that watch runs arrive."""


class RateLimiter:
    """A bucket of tokens for each client; it refills at the allowed rate and holds a minute's worth.

    At most `most_clients` are remembered, the latest ones: new addresses without end cannot fill memory.
    """

    def __init__(
        self, a_minute: int, *, most_clients: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.a_minute = a_minute
        self._most_clients = most_clients
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take one request out of the client's bucket; seconds until there is one again, 0 where there was one."""
        left = self._left(client)
        allowed = left >= 1
        self._buckets[client] = (left - allowed, self._clock())
        self._buckets.move_to_end(client)
        if len(self._buckets) > self._most_clients:
            self._buckets.popitem(last=False)
        return 0 if allowed else self._wait(left)

    def wait(self, client: str) -> float:
        """Seconds until the client's bucket has a request; none is taken."""
        left = self._left(client)
        return 0 if left >= 1 else self._wait(left)

    def _left(self, client: str) -> float:
        left, since = self._buckets.get(client, (float(self.a_minute), self._clock()))
        return min(float(self.a_minute), left + (self._clock() - since) * self.a_minute / 60)

    def _wait(self, left: float) -> float:
        return (1 - left) * 60 / self.a_minute


class Rates:
    """The rate limits of one server process."""

    def __init__(self, limits: Limits) -> None:
        self.by_token = RateLimiter(limits.requests_a_minute)
        self.by_address = RateLimiter(limits.requests_a_minute_by_address)
        self.refusals = RateLimiter(limits.refusals_a_minute)

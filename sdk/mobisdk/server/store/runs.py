"""Runs out of the store."""

import dataclasses
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from mobisdk.server.store.engine import Store
from mobisdk.server.store.schema import contents

_PAGE_BYTES: Final = 32 * 2**20


@dataclasses.dataclass(frozen=True)
class Page:
    """Runs as they were sent, in the order in which they came. `next_after` goes on behind the last of them."""

    lines: tuple[str, ...]
    next_after: int
    has_more: bool


def read_page(store: Store, after: int, limit: int) -> Page:
    """Read up to `limit` runs behind number `after`; fewer where they are large."""
    lines: list[str] = []
    size, last = 0, after
    columns = sa.select(contents.c.seq, contents.c.line)
    statement = columns.where(contents.c.seq > after).order_by(contents.c.seq).limit(limit + 1)
    streaming = {"stream_results": True, "max_row_buffer": 50}
    with store.reading() as connection, connection.execute(statement, execution_options=streaming) as found:
        for row in found:
            if len(lines) == limit or (lines and size + len(row.line) > _PAGE_BYTES):
                return Page(tuple(lines), last, has_more=True)
            lines.append(row.line)
            size += len(row.line)
            last = row.seq
    return Page(tuple(lines), last, has_more=False)


def iterate_lines(store: Store) -> Iterator[str]:
    """Give every run, in the order in which they came, as it was sent."""
    after, more = 0, True
    while more:
        page = read_page(store, after, 1000)
        yield from page.lines
        after, more = page.next_after, page.has_more

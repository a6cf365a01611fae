"""Runs on their way into the store: whoever waits for a commit shares it with everyone who came meanwhile.

One thread writes. An fsync takes milliseconds; with a commit a request, phones would queue for it, so the thread takes
all that has arrived since its last commit into the next one. A request is answered after the commit that holds it.
"""

import dataclasses
import json
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from mobisdk.errors import DataError
from mobisdk.latency.log import parse_run, to_json_line
from mobisdk.server.store.engine import Store, StoreUnavailableError
from mobisdk.server.store.incoming import IncomingRun
from mobisdk.server.store.schema import contents, groups, runs, set_aside

_MOST_ROWS_A_COMMIT: Final = 4000
_MOST_WAITING_ROWS: Final = 40_000
MOST_SET_ASIDE: Final = 10_000
_LONGEST_REASON: Final = 500


@dataclasses.dataclass(frozen=True)
class Written:
    """What became of one request's runs, all of them durable."""

    accepted: int
    duplicates: int
    rejected: dict[int, str]
    """Reason by line: a run_id that is another run's already."""


@dataclasses.dataclass(frozen=True)
class _Request:
    token_id: str
    incoming: Sequence[IncomingRun]
    set_aside: Mapping[int, str]
    done: "Future[Written]"


class RunWriter:
    """The one thread of this process that adds runs to `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._waiting_rows = 0
        self._lock = threading.Lock()
        self._known_groups: set[str] = set()
        self._thread = threading.Thread(target=self._write_until_closed, name="run-writer", daemon=True)
        self._thread.start()

    def submit(
        self, token_id: str, incoming: Sequence[IncomingRun], set_aside: Mapping[int, str] | None = None
    ) -> "Future[Written]":
        """Queue one request's runs, and the reasons of its lines that are none; the future is done when all is durable.

        Raises:
            StoreUnavailableError: too many runs wait already. The future raises it where the store refuses.
        """
        with self._lock:
            if self._waiting_rows + len(incoming) > _MOST_WAITING_ROWS:
                raise StoreUnavailableError("The store is behind.", 5)
            self._waiting_rows += len(incoming)
        request = _Request(token_id, incoming, set_aside or {}, Future())
        self._requests.put(request)
        return request.done

    @property
    def waiting_runs(self) -> int:
        """How many runs wait for their commit."""
        return self._waiting_rows

    def close(self) -> None:
        """Write what waits, then stop."""
        self._requests.put(None)
        self._thread.join()

    def _write_until_closed(self) -> None:
        closing = False
        while not closing:
            taken = [self._requests.get()]
            rows = 0
            while taken[-1] is not None and (rows := rows + len(taken[-1].incoming)) < _MOST_ROWS_A_COMMIT:
                try:
                    taken.append(self._requests.get_nowait())
                except queue.Empty:
                    break
            closing = taken[-1] is None
            requests = [request for request in taken if request is not None]
            if requests:
                self._commit(requests)

    def _commit(self, requests: Sequence[_Request]) -> None:
        try:
            with self._store.writing() as connection:
                self._add_groups(connection, [run for request in requests for run in request.incoming])
                written = self._add_runs(connection, requests)
                _add_set_aside(connection, requests, written)
        except Exception as exc:  # whoever waits must hear of it, and the thread goes on
            self._known_groups.clear()
            for request in requests:
                request.done.set_exception(exc)
        else:
            for request, result in zip(requests, written, strict=True):
                request.done.set_result(result)
        finally:
            with self._lock:
                self._waiting_rows -= sum(len(request.incoming) for request in requests)

    def _add_groups(self, connection: Connection, incoming: Sequence[IncomingRun]) -> None:
        new = {run.group.group_id: run.group for run in incoming if run.group.group_id not in self._known_groups}
        if new:
            connection.execute(self._store.insert_new(groups), [dataclasses.asdict(group) for group in new.values()])
            self._known_groups |= new.keys()

    def _add_runs(self, connection: Connection, requests: Sequence[_Request]) -> list[Written]:
        now = _now()
        first: dict[str, tuple[int, IncomingRun]] = {}
        for index, request in enumerate(requests):
            for run in request.incoming:
                first.setdefault(run.run_id, (index, run))
        rows = [run.row(requests[index].token_id, now) for index, run in first.values()]
        if not rows:
            return [Written(0, 0, {}) for _ in requests]
        statement = self._store.insert_new(runs).returning(runs.c.run_id, runs.c.seq)
        added = {row.run_id: row.seq for row in connection.execute(statement, rows)}
        if added:
            large = [
                {"seq": seq, "inference_ns": first[run_id][1].inference_ns, "line": first[run_id][1].line}
                for run_id, seq in added.items()
            ]
            connection.execute(contents.insert(), large)
        kept = _read_lines(connection, first.keys() - added.keys())
        results = []
        for index, request in enumerate(requests):
            accepted = duplicates = 0
            rejected = {}
            for run in request.incoming:
                winner, other = first[run.run_id]
                if run.run_id in added and winner == index and other is run:
                    accepted += 1
                elif _is_same(kept.get(run.run_id, other.line), run.line):
                    duplicates += 1
                else:
                    rejected[run.number] = f"run_id is wrong: another run has {run.run_id} already"
            results.append(Written(accepted, duplicates, rejected))
        return results


def _read_lines(connection: Connection, run_ids: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    ordered = sorted(run_ids)
    for start in range(0, len(ordered), 500):
        wanted = ordered[start : start + 500]
        rows = connection.execute(
            sa.select(runs.c.run_id, contents.c.line).join(contents).where(runs.c.run_id.in_(wanted))
        )
        found |= {row.run_id: row.line for row in rows}
    return found


def _add_set_aside(connection: Connection, requests: Sequence[_Request], written: Sequence[Written]) -> None:
    now = _now()
    rows = [
        {"received_at": now, "token_id": request.token_id, "line": line, "reason": json.dumps(reason[:_LONGEST_REASON])}
        for request, result in zip(requests, written, strict=True)
        for line, reason in sorted((*request.set_aside.items(), *result.rejected.items()))
    ]
    if rows:
        connection.execute(set_aside.insert(), rows)
        newest = connection.execute(sa.select(sa.func.max(set_aside.c.number))).scalar_one()
        connection.execute(set_aside.delete().where(set_aside.c.number <= newest - MOST_SET_ASIDE))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _is_same(one: str, other: str) -> bool:
    """Whether two lines tell of the same run, however they spell it."""
    if one == other:
        return True
    try:
        return to_json_line(parse_run(one)) == to_json_line(parse_run(other))
    except DataError:  # a line of an earlier schema, which this version no longer reads
        return False

"""The store: SQLite and PostgreSQL alike, every earlier schema version, and what happens when it cannot go on."""

import json
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from mobisdk.errors import ConfigError, ServerError
from mobisdk.latency.log import parse_run
from mobisdk.server.store.engine import Store, StoreUnavailableError, open_store, shown_url
from mobisdk.server.store.incoming import IncomingRun, read_line, samples_of
from mobisdk.server.store.migrations import known_versions, migrate
from mobisdk.server.store.runs import iterate_lines, read_page
from mobisdk.server.store.schema import contents, metadata, runs, set_aside
from mobisdk.server.store.writer import MOST_SET_ASIDE, RunWriter

LINES = (Path(__file__).parents[1] / "contract" / "latency" / "good.jsonl").read_bytes().splitlines()
RUN = json.loads(LINES[0])


def line(**changes: Any) -> bytes:
    return json.dumps(RUN | {"run_id": str(uuid.uuid4())} | changes).encode()


def incoming(count: int, **changes: Any) -> list[IncomingRun]:
    return [read_line(number, line(**changes)) for number in range(1, count + 1)]


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: Any, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "lab" / "runs.db")
    create: Callable[[], str] = request.getfixturevalue("postgresql")
    return create()


@pytest.fixture
def store(location: str) -> Iterator[Store]:
    opened = open_store(location)
    yield opened
    opened.close()


@pytest.fixture
def writer(store: Store) -> Iterator[RunWriter]:
    opened = RunWriter(store)
    yield opened
    opened.close()


def test_every_good_line_of_the_contract_is_stored_as_it_was_sent(store: Store, writer: RunWriter) -> None:
    read = [read_line(number, text) for number, text in enumerate(LINES, start=1)]
    written = writer.submit("token", read).result()
    assert written.accepted + written.duplicates + len(written.rejected) == len(LINES)
    assert list(iterate_lines(store)) == [run.line for run in read if run.number not in written.rejected]
    with store.reading() as connection:
        rows = connection.execute(sa.select(runs, contents.c.inference_ns).join(contents)).all()
    for row in rows:
        run = parse_run(next(run.line for run in read if run.run_id == row.run_id))
        assert np.array_equal(samples_of(row.inference_ns), run.inference_ns)
        assert (row.mode, row.samples) == (run.mode, run.inference_ns.size)
        assert (row.median_ns is None) == (run.mode == "cold") == (row.load_ns is not None)


def test_hostile_names_are_stored(store: Store, writer: RunWriter) -> None:
    hostile = "\x00<script>\u202e';DROP TABLE runs;--"
    device = RUN["device"] | {"model": hostile, "platform": hostile}
    assert writer.submit("token", incoming(1, device=device)).result().accepted == 1
    assert parse_run(next(iterate_lines(store))).device.model == hostile


def test_pages_follow_each_other_and_end(store: Store, writer: RunWriter) -> None:
    writer.submit("token", incoming(5)).result()
    first = read_page(store, 0, 3)
    second = read_page(store, first.next_after, 3)
    assert (len(first.lines), first.has_more, len(second.lines), second.has_more) == (3, True, 2, False)
    assert read_page(store, second.next_after, 3).next_after == second.next_after


def test_many_requests_at_once_are_all_counted_once(store: Store, writer: RunWriter) -> None:
    shared = incoming(20)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: writer.submit(f"t{number}", shared + incoming(5)).result(), range(16)))
    assert sum(result.accepted for result in results) == 20 + 16 * 5
    assert sum(result.duplicates for result in results) == 15 * 20
    assert len(list(iterate_lines(store))) == 100


def test_two_processes_writers_number_runs_in_the_order_in_which_they_appear(location: str, store: Store) -> None:
    others = [open_store(location), open_store(location)]
    writers = [RunWriter(other) for other in others]
    seen: list[int] = []
    done = threading.Event()

    def follow() -> None:
        after, finished = 0, False
        while not finished:
            finished = done.is_set()
            page = read_page(store, after, 1000)
            after = page.next_after
            seen.extend(range(len(page.lines)))

    reader = threading.Thread(target=follow)
    reader.start()
    shared = incoming(10)
    futures = [writers[number % 2].submit("t", shared + incoming(5)) for number in range(40)]
    accepted = sum(future.result().accepted for future in futures)
    done.set()
    reader.join()
    assert accepted == 10 + 40 * 5
    assert len(seen) == accepted
    for opened in (*writers, *others):
        opened.close()


def test_lines_set_aside_are_kept_and_the_oldest_make_room(store: Store, writer: RunWriter) -> None:
    writer.submit("t", [], {1: "not JSON\x00"}).result()
    writer.submit("t", [], dict.fromkeys(range(MOST_SET_ASIDE), "x" * 5000)).result()
    with store.reading() as connection:
        rows = connection.execute(sa.select(set_aside).order_by(set_aside.c.number)).all()
    assert len(rows) == MOST_SET_ASIDE
    assert (rows[0].number, rows[-1].number, len(json.loads(rows[0].reason))) == (2, MOST_SET_ASIDE + 1, 500)


@pytest.mark.parametrize("version", known_versions())
def test_every_earlier_version_when_opened_becomes_the_newest_with_its_runs(location: str, version: str) -> None:
    url = shown_url(location)
    if "sqlite" in url:
        Path(location).parent.mkdir()
    engine = sa.create_engine(url)
    migrate(engine, version)
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        connection.execute(
            tables.tables["groups"].insert().values(group_id="g", device_id="d", variant_id="v", document="{}")
        )
        row = {
            "run_id": RUN["run_id"], "group_id": "g", "bundle_id": "b", "mode": "burst", "received_at": 1,
            "token_id": "t",
            "samples": 3, "inference_ns": np.array(RUN["inference_ns"], "<i8").tobytes(), "line": LINES[0].decode(),
        }  # fmt: skip
        here = tables.tables["runs"].columns.keys()
        connection.execute(tables.tables["runs"].insert().values({key: row[key] for key in row if key in here}))
        if "contents" in tables.tables:
            connection.execute(
                tables.tables["contents"].insert().values(seq=1, inference_ns=row["inference_ns"], line=row["line"])
            )
    engine.dispose()
    store = open_store(location)
    assert list(iterate_lines(store)) == [LINES[0].decode()]
    with store.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        found = connection.execute(sa.select(runs)).one()
    told = str(differences)  # comments may differ: nothing reads them
    assert "add" not in told
    assert "remove" not in told
    assert "modify_type" not in told
    assert "modify_nullable" not in told
    if version == "0001":
        assert found.median_ns == round(float(np.median(RUN["inference_ns"])))
        assert found.thermal_after == RUN["conditions"]["thermal_after"]
    opened = RunWriter(store)
    again = opened.submit("t", [read_line(1, LINES[0]), *incoming(1)]).result()
    assert (again.accepted, again.duplicates) == (1, 1)
    opened.close()
    store.close()


def test_store_of_a_newer_version_is_refused(location: str, store: Store) -> None:
    with store.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServerError, match="newer mobisdk"):
        open_store(location)


def test_sqlite_syncs_every_commit(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "runs.db"))
    with store.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    store.close()
    assert (tmp_path / "runs.db").stat().st_mode & 0o077 == 0


def test_full_disk_refuses_and_takes_runs_again_when_there_is_room(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "runs.db"))
    writer = RunWriter(store)
    writer.submit("t", incoming(1)).result()
    with store.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    limit_pages(store, pages + 2)
    with pytest.raises(StoreUnavailableError, match="disk is full") as caught:
        writer.submit("t", incoming(200)).result()
    assert caught.value.retry_after_s == 30
    limit_pages(store, 1_000_000)
    assert writer.submit("t", incoming(200)).result().accepted == 200
    assert len(list(iterate_lines(store))) == 201
    writer.close()
    store.close()


def limit_pages(store: Store, pages: int) -> None:
    """SQLite answers as on a full disk once its file has so many pages."""

    @sa.event.listens_for(store._engine, "begin")
    def limit(connection: Any) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def test_locked_database_refuses_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mobisdk.server.store.engine._BUSY_SECONDS", 0)
    store = open_store(str(tmp_path / "runs.db"))
    writer = RunWriter(store)
    other = sqlite3.connect(tmp_path / "runs.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked"):
        writer.submit("t", incoming(1)).result()
    other.execute("ROLLBACK")
    other.close()
    assert writer.submit("t", incoming(1)).result().accepted == 1
    writer.close()
    store.close()


def test_postgresql_when_its_connections_are_ended_recovers_by_itself(postgresql: Callable[[], str]) -> None:
    location = postgresql()
    store, other = open_store(location), open_store(location)
    writer = RunWriter(store)
    assert writer.submit("t", incoming(1)).result().accepted == 1
    with other.writing() as connection:
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        )
    assert writer.submit("t", incoming(1)).result().accepted == 1
    writer.close()
    store.close()
    other.close()


def test_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    location = f"postgresql://lab:secret@/lab?host={tmp_path}"
    with pytest.raises(StoreUnavailableError) as caught:
        open_store(location)
    assert "secret" not in str(caught.value)
    assert "secret" not in shown_url(location)


@pytest.mark.parametrize("location", ["mysql://x/y", "nothing://", "sqlite+x:///y", "://"])
def test_store_of_another_kind_is_refused(location: str) -> None:
    with pytest.raises(ConfigError):
        open_store(location)

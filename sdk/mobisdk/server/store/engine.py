"""Opens a store: SQLite for one server process, PostgreSQL for several; brought to the newest schema version first."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from mobisdk.errors import ConfigError, ServerError
from mobisdk.server.store.migrations import migrate

_BUSY_SECONDS = 5
_WRITER_LOCK = 0x6D6F6269  # "mobi": PostgreSQL's advisory lock of whoever writes


class StoreUnavailableError(ServerError):
    """The store cannot take or give anything now, and may later."""

    def __init__(self, what: str, retry_after_s: int) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class Store:
    """A database with the tables of `schema`; share one between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.is_postgresql = engine.dialect.name == "postgresql"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the store.

        Raises:
            StoreUnavailableError: the database is locked, gone or full.
        """
        with _errors_named(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are durable when the block is left, or not there at all.

        Writers take turns, also those of other processes: rows are numbered in the order in which they appear, so that
        whoever reads on from a number misses none.

        Raises:
            StoreUnavailableError: the database is locked, gone or full; nothing was changed.
        """
        with (
            _errors_named(),
            self._engine.connect().execution_options(mobisdk_writes=True) as connection,
            connection.begin(),
        ):
            if self.is_postgresql:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER_LOCK)))
            yield connection

    def insert_new(self, table: sa.Table) -> Any:
        """An INSERT that leaves rows alone whose key is there already."""
        if self.is_postgresql:
            from sqlalchemy.dialects.postgresql import insert as insert_postgresql

            return insert_postgresql(table).on_conflict_do_nothing()
        from sqlalchemy.dialects.sqlite import insert as insert_sqlite

        return insert_sqlite(table).on_conflict_do_nothing()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def open_store(location: str, *, create: bool = True) -> Store:
    """Open the store at a SQLAlchemy URL, or at the path of an SQLite file, and bring it to the newest version.

    Raises:
        ConfigError: the URL is wrong, names another kind of database, or there is nothing there and `create` is false.
        StoreUnavailableError: the database cannot be reached.
        ServerError: it was made by a newer mobisdk.
    """
    url = _parse_url(location)
    if url.drivername == "sqlite" and url.database:
        path = Path(url.database)
        if not create and not path.is_file():
            raise ConfigError("there is no store here", got=str(path), hint="`mobisdk serve` makes one")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Tokens' hashes lie in it. SQLite gives its -wal and -shm files the rights of this one.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    try:
        engine = sa.create_engine(url, pool_pre_ping=True, pool_size=8, max_overflow=8, pool_timeout=_BUSY_SECONDS)
    except (NoSuchModuleError, ModuleNotFoundError) as exc:
        hint = "pip install 'mobisdk[postgresql]'" if "psycopg" in str(exc) else None
        raise ConfigError("no driver for this store", got=shown_url(location), hint=hint) from exc
    if engine.dialect.name == "sqlite":
        _set_up_sqlite(engine)
    try:
        with _errors_named():
            migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine)


def shown_url(location: str) -> str:
    """`location` without its password."""
    return _parse_url(location).render_as_string(hide_password=True)


def _parse_url(location: str) -> URL:
    if "://" not in location:
        return URL.create("sqlite", database=location)
    try:
        url = sa.make_url(location)
    except (ArgumentError, ValueError) as exc:
        raise ConfigError("the store's URL is wrong", allowed=_ALLOWED) from exc
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError("this kind of store is not known", got=url.drivername, allowed=_ALLOWED)
    return url


_ALLOWED = "a file, sqlite:///FILE, or postgresql://USER@HOST/DATABASE"


def _set_up_sqlite(engine: Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver's own idea of when to begin stays out of it
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_SECONDS}000"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("mobisdk_writes")
        # IMMEDIATE waits for its turn here; a reader that turned writer later would be refused instead.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def _errors_named() -> Iterator[None]:
    """Turn what a database says when it cannot go on into StoreUnavailableError."""
    try:
        yield
    except PoolTimeoutError as exc:
        raise StoreUnavailableError("The store is busy.", 5) from exc
    except DBAPIError as exc:
        text = str(exc.orig)
        if "disk is full" in text or "No space left" in text or getattr(exc.orig, "sqlstate", None) == "53100":
            raise StoreUnavailableError("The store's disk is full.", 30) from exc
        if isinstance(exc, OperationalError) or exc.connection_invalidated or isinstance(exc, sa.exc.InterfaceError):
            locked = "locked" in text
            what = "The store is locked." if locked else "The store cannot be reached."
            raise StoreUnavailableError(what, 5) from exc
        raise


def check_writable(store: Store) -> None:
    """Take the writer's turn and give it back.

    Raises:
        StoreUnavailableError: the database is locked or gone.
    """
    with store.writing() as connection:
        connection.execute(sa.text("SELECT 1"))

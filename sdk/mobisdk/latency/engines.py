"""Where the expressions of `frames` run: DuckDB in this process, or Spark on a cluster."""

import contextlib
import dataclasses
import os
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from mobisdk.errors import ConfigError, UnsupportedError
from mobisdk.latency.store import LogSet

_PATIENCE_S: Final = 5.0
_SPARK_MEMORY: Final = "4g"
_PARTITIONS: Final = 200
"""Of a cluster's shuffles; on this computer, one a processor."""


@dataclasses.dataclass(frozen=True)
class Engine:
    """An engine with the runs of some logs in it: a row a run, columns as in `columns.run_schema`."""

    runs: "nw.LazyFrame[Any]"
    upload: Callable[[pa.Table], "nw.LazyFrame[Any]"]
    """Give it a small table."""
    explode: Callable[["nw.LazyFrame[Any]"], "nw.LazyFrame[Any]"]
    """Make a row of each of `ns`: Narwhals' own keeps empty lists as rows, and DuckDB reads everything twice for it."""
    keep: Callable[["nw.LazyFrame[Any]"], "nw.LazyFrame[Any]"]
    """Hold samples that are read many times: Spark would plan and compute them anew, DuckDB is as quick without."""
    hold: Callable[["nw.LazyFrame[Any]"], "nw.LazyFrame[Any]"]
    """Hold a row a run that took a pass over all samples to make."""
    add_lists: Callable[["nw.LazyFrame[Any]"], "nw.LazyFrame[Any]"]
    """Add the lists `before` and `after` to `ns`, sample by sample; one that is empty adds nothing."""


def _explode_duckdb(frame: "nw.LazyFrame[Any]") -> "nw.LazyFrame[Any]":
    others = _names_beside(frame, "ns")
    exploded: nw.LazyFrame[Any] = nw.from_native(frame.to_native().project(f"{others}, unnest(ns) AS ns")).lazy()
    return exploded


def _hold_duckdb(frame: "nw.LazyFrame[Any]") -> "nw.LazyFrame[Any]":
    """Make a temporary table, which is spilled to disk like any other where memory is short."""
    relation = frame.to_native()
    relation.query("held", "CREATE OR REPLACE TEMP TABLE held_runs AS SELECT * FROM held")
    held: nw.LazyFrame[Any] = nw.from_native(relation.query("held", "SELECT * FROM held_runs")).lazy()
    return held


def _add_lists_duckdb(frame: "nw.LazyFrame[Any]") -> "nw.LazyFrame[Any]":
    others = _names_beside(frame, "ns", "before", "after")
    total = "list_transform(list_zip(ns, before, after), x -> x[1] + coalesce(x[2], 0) + coalesce(x[3], 0))"
    added: nw.LazyFrame[Any] = nw.from_native(frame.to_native().project(f"{others}, {total} AS ns")).lazy()
    return added


def _add_lists_spark(frame: "nw.LazyFrame[Any]") -> "nw.LazyFrame[Any]":
    others = [f"`{name}`" for name in frame.collect_schema().names() if name not in ("ns", "before", "after")]
    zipped = "arrays_zip(ns, before, after)"
    total = f"transform({zipped}, x -> x.ns + coalesce(x.before, 0) + coalesce(x.after, 0)) AS ns"
    added: nw.LazyFrame[Any] = nw.from_native(frame.to_native().selectExpr(*others, total)).lazy()
    return added


def _keep_spark(frame: "nw.LazyFrame[Any]") -> "nw.LazyFrame[Any]":
    kept: nw.LazyFrame[Any] = nw.from_native(frame.to_native().localCheckpoint()).lazy()
    return kept


def _names_beside(frame: "nw.LazyFrame[Any]", *left_out: str) -> str:
    return ", ".join(f'"{name}"' for name in frame.collect_schema().names() if name not in left_out)


def _explode(frame: "nw.LazyFrame[Any]") -> "nw.LazyFrame[Any]":
    return frame.explode("ns").filter(~nw.col("ns").is_null())


@contextlib.contextmanager
def open_duckdb(logs: LogSet, memory: str | None = None) -> Iterator[Engine]:
    """Open DuckDB over `logs`; beyond `memory` (`8GB`), by default most of this computer's, it spills to disk."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="mobisdk-duckdb-") as spill, duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET enable_progress_bar = false")  # stdout is for the one document
        connection.execute("SET temp_directory = $1", [spill])
        if memory is not None:
            connection.execute("SET memory_limit = $1", [memory])
        names = ", ".join(f'"{name}"' for name in logs.table.schema.names)
        parts = []
        if logs.table.num_rows or not logs.parquet:
            connection.register("lines", logs.table)
            parts.append(f"SELECT {names} FROM lines")  # noqa: S608
        if logs.parquet:
            files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in logs.parquet)
            parts.append(f"SELECT {names} FROM read_parquet([{files}], hive_partitioning = false)")  # noqa: S608
        relation = connection.sql(" UNION ALL ".join(parts))
        yield Engine(
            nw.from_native(relation).lazy(),
            lambda table: nw.from_native(connection.from_arrow(table)).lazy(),
            _explode_duckdb,
            lambda frame: frame,
            _hold_duckdb,
            _add_lists_duckdb,
        )


@contextlib.contextmanager
def open_spark(logs: LogSet, master: str) -> Iterator[Engine]:
    """Open a Spark session over `logs`, which its workers must be able to read where this computer does.

    Raises:
        UnsupportedError: PySpark or Java is not installed.
        ConfigError: the master does not answer.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UnsupportedError(
            "--engine spark needs PySpark", got=str(error), hint="pip install 'mobisdk[spark]', and Java 17 or newer"
        ) from error
    _require_master(master)
    with tempfile.TemporaryDirectory(prefix="mobisdk-spark-") as folder:
        try:
            session = (
                SparkSession.builder.master(master)
                .appName("mobisdk analyze")
                .config("spark.driver.memory", os.environ.get("SPARK_DRIVER_MEMORY", _SPARK_MEMORY))
                .config("spark.sql.execution.arrow.pyspark.enabled", "true")
                .config("spark.sql.session.timeZone", "UTC")
                .config(
                    "spark.sql.shuffle.partitions",
                    str(_PARTITIONS if not master.startswith("local") else os.cpu_count()),
                )
                .config("spark.ui.enabled", "false")
                .config("spark.ui.showConsoleProgress", "false")
                .config("spark.log.level", "ERROR")
                .getOrCreate()
            )
        except (PySparkException, RuntimeError, OSError) as error:
            raise ConfigError(
                f"Spark does not start: {str(error).splitlines()[0]}", got=master, hint="It needs Java 17 or newer"
            ) from error
        try:
            files = [str(path.resolve()) for path in logs.parquet]
            if logs.table.num_rows or not files:
                pq.write_table(logs.table, Path(folder) / "lines.parquet")
                files.append(str(Path(folder) / "lines.parquet"))
            frame = session.read.option("recursiveFileLookup", "true").parquet(*files)

            def upload(table: pa.Table) -> "nw.LazyFrame[Any]":
                with warnings.catch_warnings():  # PySpark warns of a pandas that it does not need here
                    warnings.simplefilter("ignore", FutureWarning)
                    frame: nw.LazyFrame[Any] = nw.from_native(session.createDataFrame(table)).lazy()
                    return frame

            yield Engine(nw.from_native(frame).lazy(), upload, _explode, _keep_spark, _keep_spark, _add_lists_spark)
        finally:
            session.stop()


def _require_master(master: str) -> None:
    """Ask a cluster's door before Spark does, which tries for minutes and then says little."""
    if master.startswith("local"):
        return
    where = urlsplit(master.split(",")[0])
    if where.scheme != "spark" or not where.hostname:
        if where.scheme in ("k8s", "yarn", "mesos") or master == "yarn":
            return
        raise ConfigError(
            "--master is no Spark master", got=master, allowed="local[*], spark://HOST:PORT, yarn, k8s://…"
        )
    try:
        socket.create_connection((where.hostname, where.port or 7077), _PATIENCE_S).close()
    except OSError as error:
        raise ConfigError(
            f"the Spark master does not answer: {error.strerror or error}", got=master, hint="Is it running there?"
        ) from error

"""The tables of the newest schema version; `migrations` leads to them from every earlier one.

Texts that phones wrote are kept only inside JSON of ASCII or as the line that was sent, which is JSON: PostgreSQL takes
no NUL in a text column, and a phone may be called anything.
"""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

_Sequence = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in an INTEGER column

groups = Table(
    "groups",
    metadata,
    Column("group_id", String(64), primary_key=True),
    Column("device_id", String(64), nullable=False, index=True),
    Column("variant_id", String(64), nullable=False, index=True),
    Column("document", Text, nullable=False, comment="device, runtime and bundle as JSON of ASCII"),
)
"""What is never merged: one device, one runtime, one variant."""

runs = Table(
    "runs",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True, comment="in the order of commits"),
    Column("run_id", String(36), nullable=False, unique=True, comment="lower case"),
    Column("group_id", String(64), ForeignKey("groups.group_id"), nullable=False),
    Column("bundle_id", String(64), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("received_at", BigInteger, nullable=False, comment="milliseconds since 1970"),
    Column("token_id", String(32), nullable=False),
    Column("kept_apart", Text, comment="why the figures leave this run out; null where they do not"),
    Column("samples", Integer, nullable=False),
    Column("median_ns", BigInteger, comment="of its inference; null in a cold run"),
    Column("load_ns", BigInteger, comment="compiling and loading together; null but in a cold run"),
    Column("first_inference_ns", BigInteger, comment="null but in a cold run"),
    Column("slowdown", Float, comment="its last tenth's median over its first's; null in a short run"),
    Column("thermal_after", String(16)),
    Index("runs_by_group", "group_id", "mode", "seq"),
    sqlite_autoincrement=True,
)

contents = Table(
    "contents",
    metadata,
    Column("seq", _Sequence, ForeignKey("runs.seq"), primary_key=True, autoincrement=False),
    Column("inference_ns", LargeBinary, nullable=False, comment="little-endian 64-bit integers"),
    Column("line", Text, nullable=False, comment="as it was sent, unknown keys too"),
)
"""What is large of a run, apart, so that counting and listing runs reads little."""

set_aside = Table(
    "set_aside",
    metadata,
    Column("number", _Sequence, primary_key=True, autoincrement=True),
    Column("received_at", BigInteger, nullable=False),
    Column("token_id", String(32), nullable=False),
    Column("line", Integer, nullable=False, comment="in its request, from 1"),
    Column("reason", Text, nullable=False, comment="as JSON of ASCII"),
    sqlite_autoincrement=True,
)
"""Lines that were no runs; the latest ones are kept, and the highest number counts them all."""

tokens = Table(
    "tokens",
    metadata,
    Column("token_id", String(32), primary_key=True),
    Column("secret_sha256", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False, comment="phone, page or program"),
    Column("name", Text, nullable=False, comment="as JSON of ASCII"),
    Column("rights", Text, nullable=False, comment="separated by blanks"),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)

codes = Table(
    "codes",
    metadata,
    Column("code_sha256", String(64), primary_key=True),
    Column("rights", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)

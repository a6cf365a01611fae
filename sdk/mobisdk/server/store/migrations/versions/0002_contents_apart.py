"""What is large of a run moves to a table of its own; what overviews need becomes columns; lines set aside stay."""

import sqlalchemy as sa
from alembic import op

from mobisdk.latency.log import parse_run
from mobisdk.server.store.incoming import describe_samples

revision = "0002"
down_revision = "0001"

_BATCH = 500
_sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NEW = (
    ("median_ns", sa.BigInteger),
    ("load_ns", sa.BigInteger),
    ("first_inference_ns", sa.BigInteger),
    ("slowdown", sa.Float),
    ("thermal_after", sa.String(16)),
)


def upgrade() -> None:
    """Copy, fill in, then drop."""
    contents = op.create_table(
        "contents",
        sa.Column("seq", _sequence, sa.ForeignKey("runs.seq"), primary_key=True, autoincrement=False),
        sa.Column("inference_ns", sa.LargeBinary, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_table(
        "set_aside",
        sa.Column("number", _sequence, primary_key=True, autoincrement=True),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("token_id", sa.String(32), nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    for name, kind in _NEW:
        op.add_column("runs", sa.Column(name, kind))
    connection = op.get_bind()
    runs = sa.table("runs", *map(sa.column, ("seq", "inference_ns", "line", *(name for name, _ in _NEW))))
    connection.execute(contents.insert().from_select(["seq", "inference_ns", "line"], sa.select(*list(runs.c)[:3])))
    last = 0
    while True:
        page = sa.select(runs.c.seq, runs.c.line).where(runs.c.seq > last).order_by(runs.c.seq).limit(_BATCH)
        rows = connection.execute(page).all()
        if not rows:
            break
        for row in rows:
            connection.execute(runs.update().where(runs.c.seq == row.seq).values(describe_samples(parse_run(row.line))))
        last = rows[-1].seq
    op.drop_column("runs", "inference_ns")
    op.drop_column("runs", "line")

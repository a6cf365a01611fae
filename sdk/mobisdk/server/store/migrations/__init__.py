"""Schema versions, by Alembic: one file a version, forward only."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from mobisdk.errors import ServerError

_HERE = Path(__file__).parent
_LOCK = 0x6D6F6269 + 1


def migrate(engine: Engine, target: str = "head") -> None:
    """Bring the database to a version, in one transaction; servers that start together take turns.

    Raises:
        ServerError: it was made by a newer mobisdk.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(_HERE))
    with engine.connect().execution_options(mobisdk_writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        context = MigrationContext.configure(
            connection, opts={"fn": lambda found, _: script._upgrade_revs(target, found), "transactional_ddl": True}
        )
        found = context.get_current_revision()
        if found is not None and found not in known_versions():
            raise ServerError("the store was made by a newer mobisdk", got=found, hint="Update mobisdk")
        with Operations.context(context):
            context.run_migrations()


def known_versions() -> list[str]:
    """Every version, the oldest first."""
    return sorted(file.stem.split("_")[0] for file in (_HERE / "versions").glob("[0-9]*.py"))

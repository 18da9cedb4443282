"""Which connection do migrations run on? The one that `migrating.py` passes in."""

from __future__ import annotations

from alembic import context

from saferoom.adapters.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

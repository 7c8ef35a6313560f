"""Alembic's entry: runs on the connection that `escrow.migrations.migrate` opened, inside its transaction."""

from alembic import context

from escrow.ledger import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables.Account.metadata)
with context.begin_transaction():
    context.run_migrations()

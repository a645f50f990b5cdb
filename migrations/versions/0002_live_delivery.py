"""Read marks, presence, tickets and followers

Revision ID: 0002
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from chat_service.model.base import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "process_leases",
        sa.Column("process_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_process_leases")),
    )
    with op.batch_alter_table("process_leases", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_process_leases_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "feed_readers",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("pos", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "active",
                "disabled",
                "expired",
                name="readerstatus",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("owner", sa.Uuid(), nullable=True),
        sa.Column("leased_until", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_feed_readers_workspace_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "reader", name=op.f("pk_feed_readers")),
    )
    op.create_table(
        "message_counts",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "author_type",
            sa.Enum(
                "customer",
                "agent",
                "bot",
                "system",
                name="authortype",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_message_counts_workspace_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "day", "author_type", name=op.f("pk_message_counts")
        ),
    )
    op.create_table(
        "agent_sockets",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("process_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "agent_id"],
            ["agents.workspace_id", "agents.id"],
            name=op.f("fk_agent_sockets_workspace_id_agent_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "agent_id", "process_id", name=op.f("pk_agent_sockets")
        ),
    )
    op.create_table(
        "dead_events",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("pos", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "reader"],
            ["feed_readers.workspace_id", "feed_readers.reader"],
            name=op.f("fk_dead_events_workspace_id_reader"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "reader", "pos", name=op.f("pk_dead_events")),
    )
    op.create_table(
        "tickets",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("origin", sa.String(length=255), nullable=True),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "token_id"],
            ["tokens.workspace_id", "tokens.id"],
            name=op.f("fk_tickets_workspace_id_token_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_tickets")),
    )
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_tickets_workspace_id_expires_at"),
            ["workspace_id", "expires_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_tickets_workspace_id_token_id"),
            ["workspace_id", "token_id"],
            unique=False,
        )

    _add("agents", {"availability": sa.String(24), "accepting_chats": sa.Boolean()})
    with op.batch_alter_table("agents") as batch_op:
        words = "'online', 'away', 'busy', 'offline'"
        batch_op.create_check_constraint("availability", f"availability IN ({words})")
    marks = ("read_seq", "read_public_seq", "delivered_seq", "delivered_public_seq")
    _add("participants", dict.fromkeys([*marks, "marks_version"], sa.BigInteger()))
    with op.batch_alter_table("participants") as batch_op:
        batch_op.add_column(sa.Column("left_at", UtcTime(), nullable=True))
    with op.batch_alter_table("chat_sessions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_chat_sessions_unclosed",
            ["workspace_id", "assignee_id", "last_activity_at", "id"],
            unique=False,
            sqlite_where=sa.text("status != 'closed'"),
            postgresql_where=sa.text("status != 'closed'"),
        )


FIRST = {"availability": "online", "accepting_chats": True}


def _add(table: str, columns: dict[str, sa.types.TypeEngine[Any]]) -> None:
    """Add columns that must have a value: rows that are there get the first one."""
    with op.batch_alter_table(table) as batch_op:
        for name, kind in columns.items():
            batch_op.add_column(sa.Column(name, kind, nullable=True))
    rows = sa.table(table, *(sa.column(name, kind) for name, kind in columns.items()))
    op.execute(rows.update().values({name: FIRST.get(name, 0) for name in columns}))
    with op.batch_alter_table(table) as batch_op:
        for name, kind in columns.items():
            batch_op.alter_column(name, existing_type=kind, nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("chat_sessions", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_chat_sessions_unclosed",
            sqlite_where=sa.text("status != 'closed'"),
            postgresql_where=sa.text("status != 'closed'"),
        )

    with op.batch_alter_table("participants", schema=None) as batch_op:
        batch_op.drop_column("marks_version")
        batch_op.drop_column("delivered_public_seq")
        batch_op.drop_column("delivered_seq")
        batch_op.drop_column("read_public_seq")
        batch_op.drop_column("read_seq")
        batch_op.drop_column("left_at")

    with op.batch_alter_table("agents") as batch_op:
        batch_op.drop_constraint("availability", type_="check")
        batch_op.drop_column("accepting_chats")
        batch_op.drop_column("availability")

    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tickets_workspace_id_token_id"))
        batch_op.drop_index(batch_op.f("ix_tickets_workspace_id_expires_at"))

    op.drop_table("tickets")
    op.drop_table("dead_events")
    op.drop_table("agent_sockets")
    op.drop_table("message_counts")
    op.drop_table("feed_readers")
    with op.batch_alter_table("process_leases", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_process_leases_expires_at"))

    op.drop_table("process_leases")

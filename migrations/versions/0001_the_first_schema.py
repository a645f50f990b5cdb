"""The first schema

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from chat_service.model.base import JsonType, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_events",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("pos", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column(
            "audience",
            sa.Enum(
                "public",
                "internal",
                "workspace",
                name="audience",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("public_seq", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column(
            "actor_type",
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
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("data", JsonType, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.CheckConstraint(
            "(public_seq IS NOT NULL) = (audience = 'public')",
            name=op.f("ck_chat_events_public_seq"),
        ),
        sa.CheckConstraint(
            "(seq IS NULL) = (audience = 'workspace')", name=op.f("ck_chat_events_seq")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "pos", name=op.f("pk_chat_events")),
        sa.UniqueConstraint(
            "workspace_id",
            "session_id",
            "public_seq",
            name=op.f("uq_chat_events_workspace_id_session_id_public_seq"),
        ),
        sa.UniqueConstraint(
            "workspace_id",
            "session_id",
            "seq",
            name=op.f("uq_chat_events_workspace_id_session_id_seq"),
        ),
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("tries", JsonType, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "subject", name=op.f("pk_sign_in_attempts")),
    )
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
        sa.UniqueConstraint("slug", name=op.f("uq_workspaces_slug")),
    )
    op.create_table(
        "agents",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "owner",
                "admin",
                "supervisor",
                "agent",
                "bot",
                "viewer",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "active",
                "deactivated",
                name="agentstatus",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_agents_workspace_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_agents")),
    )
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_agents_workspace_id_email"), ["workspace_id", "email"], unique=True
        )

    op.create_table(
        "feed_head",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("pos", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.Uuid(), nullable=True),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_feed_head_workspace_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_feed_head")),
        postgresql_with={"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.01"},
    )
    op.create_table(
        "inboxes",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("allowed_origins", JsonType, nullable=False),
        sa.Column("reopen_seconds", sa.BigInteger(), nullable=False),
        sa.Column("reply_claims", sa.Boolean(), nullable=False),
        sa.Column("assignee_only", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_inboxes_workspace_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_inboxes")),
    )
    op.create_table(
        "customers",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "inbox_id"],
            ["inboxes.workspace_id", "inboxes.id"],
            name=op.f("fk_customers_workspace_id_inbox_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_customers")),
    )
    op.create_table(
        "chat_sessions",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("client_session_id", sa.String(length=64), nullable=False),
        sa.Column("previous_session_id", sa.Uuid(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "queued",
                "open",
                "pending",
                "snoozed",
                "closed",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "channel",
            sa.Enum(
                "web", "api", name="channel", native_enum=False, create_constraint=True, length=24
            ),
            nullable=False,
        ),
        sa.Column("subject", sa.String(length=200), nullable=True),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("queued_at", UtcTime(), nullable=True),
        sa.Column(
            "priority",
            sa.Enum(
                "low",
                "medium",
                "high",
                "urgent",
                name="priority",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("tags", JsonType, nullable=False),
        sa.Column("custom_attributes", JsonType, nullable=False),
        sa.Column(
            "closed_reason",
            sa.Enum(
                "resolved",
                "abandoned",
                "idle_timeout",
                "spam",
                "merged",
                name="closedreason",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("waiting_since", UtcTime(), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_public_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_message_id", sa.Uuid(), nullable=True),
        sa.Column("message_count", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("last_activity_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "assignee_id"],
            ["agents.workspace_id", "agents.id"],
            name=op.f("fk_chat_sessions_workspace_id_assignee_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "customer_id"],
            ["customers.workspace_id", "customers.id"],
            name=op.f("fk_chat_sessions_workspace_id_customer_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "inbox_id"],
            ["inboxes.workspace_id", "inboxes.id"],
            name=op.f("fk_chat_sessions_workspace_id_inbox_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_chat_sessions")),
        sa.UniqueConstraint(
            "workspace_id",
            "customer_id",
            "client_session_id",
            name=op.f("uq_chat_sessions_workspace_id_customer_id_client_session_id"),
        ),
        postgresql_with={"fillfactor": "80", "autovacuum_vacuum_scale_factor": "0.01"},
    )
    with op.batch_alter_table("chat_sessions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_chat_sessions_workspace_id_assignee_id"),
            ["workspace_id", "assignee_id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_chat_sessions_workspace_id_created_at_id"),
            ["workspace_id", "created_at", "id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_chat_sessions_workspace_id_last_activity_at_id"),
            ["workspace_id", "last_activity_at", "id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_chat_sessions_workspace_id_waiting_since_id"),
            ["workspace_id", "waiting_since", "id"],
            unique=False,
            sqlite_where=sa.text("waiting_since IS NOT NULL"),
            postgresql_where=sa.text("waiting_since IS NOT NULL"),
        )

    op.create_table(
        "tokens",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "agent",
                "key",
                "customer",
                name="tokenkind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=128), nullable=True),
        sa.Column("scopes", JsonType, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=True),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.CheckConstraint(
            "(agent_id IS NOT NULL) = (kind = 'agent')", name=op.f("ck_tokens_agent")
        ),
        sa.CheckConstraint(
            "(customer_id IS NOT NULL) = (kind = 'customer')", name=op.f("ck_tokens_customer")
        ),
        sa.CheckConstraint(
            "(secret_hash IS NULL) = (kind = 'customer')", name=op.f("ck_tokens_secret")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "agent_id"],
            ["agents.workspace_id", "agents.id"],
            name=op.f("fk_tokens_workspace_id_agent_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "customer_id"],
            ["customers.workspace_id", "customers.id"],
            name=op.f("fk_tokens_workspace_id_customer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_tokens")),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_tokens_workspace_id_agent_id"),
            ["workspace_id", "agent_id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_tokens_workspace_id_customer_id"),
            ["workspace_id", "customer_id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_tokens_workspace_id_revoked_at"),
            ["workspace_id", "revoked_at"],
            unique=False,
        )

    op.create_table(
        "chat_messages",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column(
            "visibility",
            sa.Enum(
                "public",
                "internal",
                name="visibility",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("public_seq", sa.BigInteger(), nullable=True),
        sa.Column("author_slot", sa.String(length=64), nullable=True),
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
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("client_message_id", sa.String(length=64), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=True),
        sa.Column("content", JsonType, nullable=True),
        sa.Column("reply_to_id", sa.Uuid(), nullable=True),
        sa.Column("metadata", JsonType, nullable=False),
        sa.Column("public_metadata", JsonType, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("edited_at", UtcTime(), nullable=True),
        sa.Column("deleted_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "session_id"],
            ["chat_sessions.workspace_id", "chat_sessions.id"],
            name=op.f("fk_chat_messages_workspace_id_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_chat_messages")),
        sa.UniqueConstraint(
            "workspace_id",
            "session_id",
            "author_slot",
            "client_message_id",
            name="uq_chat_messages_natural_key",
        ),
        sa.UniqueConstraint(
            "workspace_id",
            "session_id",
            "public_seq",
            name=op.f("uq_chat_messages_workspace_id_session_id_public_seq"),
        ),
        sa.UniqueConstraint(
            "workspace_id",
            "session_id",
            "seq",
            name=op.f("uq_chat_messages_workspace_id_session_id_seq"),
        ),
    )
    op.create_table(
        "participants",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column(
            "type",
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
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "visibility",
            sa.Enum(
                "public",
                "internal",
                name="visibility",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("joined_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "session_id"],
            ["chat_sessions.workspace_id", "chat_sessions.id"],
            name=op.f("fk_participants_workspace_id_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "session_id", "type", "id", name=op.f("pk_participants")
        ),
    )


def downgrade() -> None:
    op.drop_table("participants")
    op.drop_table("chat_messages")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tokens_workspace_id_revoked_at"))
        batch_op.drop_index(batch_op.f("ix_tokens_workspace_id_customer_id"))
        batch_op.drop_index(batch_op.f("ix_tokens_workspace_id_agent_id"))

    op.drop_table("tokens")
    with op.batch_alter_table("chat_sessions", schema=None) as batch_op:
        batch_op.drop_index(
            batch_op.f("ix_chat_sessions_workspace_id_waiting_since_id"),
            sqlite_where=sa.text("waiting_since IS NOT NULL"),
            postgresql_where=sa.text("waiting_since IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_chat_sessions_workspace_id_last_activity_at_id"))
        batch_op.drop_index(batch_op.f("ix_chat_sessions_workspace_id_created_at_id"))
        batch_op.drop_index(batch_op.f("ix_chat_sessions_workspace_id_assignee_id"))

    op.drop_table("chat_sessions")
    op.drop_table("customers")
    op.drop_table("inboxes")
    op.drop_table("feed_head")
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agents_workspace_id_email"))

    op.drop_table("agents")
    op.drop_table("workspaces")
    op.drop_table("sign_in_attempts")
    op.drop_table("chat_events")

"""Roles, teams, links, identities, keys of inboxes, and who did what

Revision ID: 0004
Revises: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from chat_service.model.base import JsonType, UtcTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
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
        sa.Column("token_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "done",
                "refused",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("target_type", sa.String(length=32), nullable=True),
        sa.Column("target_id", sa.String(length=64), nullable=True),
        sa.Column("fields", JsonType, nullable=False),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("request_id", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_audit_entries")),
    )
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_audit_entries_workspace_id_at_id"),
            ["workspace_id", "at", "id"],
            unique=False,
        )

    op.create_table(
        "shown_proofs",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_shown_proofs_workspace_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "token_hash", name=op.f("pk_shown_proofs")),
    )
    with op.batch_alter_table("shown_proofs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_shown_proofs_workspace_id_expires_at"),
            ["workspace_id", "expires_at"],
            unique=False,
        )

    op.create_table(
        "roles",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("permissions", JsonType, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_roles_workspace_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_roles")),
        sa.UniqueConstraint("workspace_id", "name", name=op.f("uq_roles_workspace_id_name")),
    )
    op.create_table(
        "teams",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_teams_workspace_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_teams")),
        sa.UniqueConstraint("workspace_id", "name", name=op.f("uq_teams_workspace_id_name")),
    )
    op.create_table(
        "inbox_keys",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column(
            "algorithm",
            sa.Enum(
                "HS256",
                "EdDSA",
                name="keyalgorithm",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("material", sa.String(length=1024), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "inbox_id"],
            ["inboxes.workspace_id", "inboxes.id"],
            name=op.f("fk_inbox_keys_workspace_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_inbox_keys")),
    )
    with op.batch_alter_table("inbox_keys", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_inbox_keys_workspace_id_inbox_id"),
            ["workspace_id", "inbox_id"],
            unique=False,
        )

    op.create_table(
        "agent_identities",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "agent_id"],
            ["agents.workspace_id", "agents.id"],
            name=op.f("fk_agent_identities_workspace_id_agent_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "issuer", "subject", name=op.f("pk_agent_identities")
        ),
    )
    with op.batch_alter_table("agent_identities", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_agent_identities_workspace_id_agent_id"),
            ["workspace_id", "agent_id"],
            unique=False,
        )

    op.create_table(
        "one_time_links",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum(
                "invitation",
                "recovery",
                name="linkpurpose",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "agent_id"],
            ["agents.workspace_id", "agents.id"],
            name=op.f("fk_one_time_links_workspace_id_agent_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_one_time_links")),
    )
    with op.batch_alter_table("one_time_links", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_one_time_links_workspace_id_agent_id"),
            ["workspace_id", "agent_id"],
            unique=False,
        )

    op.create_table(
        "team_members",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "agent_id"],
            ["agents.workspace_id", "agents.id"],
            name=op.f("fk_team_members_workspace_id_agent_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "team_id"],
            ["teams.workspace_id", "teams.id"],
            name=op.f("fk_team_members_workspace_id_team_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "team_id", "agent_id", name=op.f("pk_team_members")
        ),
    )
    with op.batch_alter_table("team_members", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_team_members_workspace_id_agent_id"),
            ["workspace_id", "agent_id"],
            unique=False,
        )

    _add("agents", {"totp_confirmed": sa.Boolean(), "recovery_codes": JsonType})
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("role_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("totp_secret", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("totp_step", sa.BigInteger(), nullable=True))
        batch_op.alter_column("password_hash", existing_type=sa.String(length=200), nullable=True)
        batch_op.create_index(
            batch_op.f("ix_agents_workspace_id_role_id"), ["workspace_id", "role_id"], unique=False
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_agents_workspace_id_role_id"),
            "roles",
            ["workspace_id", "role_id"],
            ["workspace_id", "id"],
            ondelete="RESTRICT",
        )
        _words(batch_op, "role", "role", (*ROLES, "custom"))
        _words(batch_op, "agentstatus", "status", ("invited", *STATES))
        batch_op.create_check_constraint("custom_role", "(role_id IS NOT NULL) = (role = 'custom')")

    with op.batch_alter_table("chat_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("team_id", sa.Uuid(), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_chat_sessions_workspace_id_team_id"),
            ["workspace_id", "team_id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_chat_sessions_unclosed_of_team",
            ["workspace_id", "team_id", "assignee_id", "last_activity_at", "id"],
            unique=False,
            sqlite_where=sa.text(UNCLOSED_OF_TEAM),
            postgresql_where=sa.text(UNCLOSED_OF_TEAM),
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_chat_sessions_workspace_id_team_id"),
            "teams",
            ["workspace_id", "team_id"],
            ["workspace_id", "id"],
            ondelete="RESTRICT",
        )

    # Whom they count was named by another hash.
    op.execute(sa.table("sign_in_attempts").delete())
    with op.batch_alter_table("sign_in_attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pending", JsonType, nullable=False))
        batch_op.add_column(sa.Column("until", UtcTime(), nullable=False))
        batch_op.create_index(
            batch_op.f("ix_sign_in_attempts_workspace_id_until"),
            ["workspace_id", "until"],
            unique=False,
        )

    _add("customers", {"email_verified": sa.Boolean()})
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("external_id", sa.String(length=128), nullable=True))
        batch_op.add_column(sa.Column("verified_at", UtcTime(), nullable=True))
        batch_op.add_column(sa.Column("merged_into", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("blocked_at", UtcTime(), nullable=True))
        batch_op.add_column(sa.Column("blocked_until", UtcTime(), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_customers_workspace_id_merged_into"),
            ["workspace_id", "merged_into"],
            unique=False,
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_customers_workspace_id_inbox_id_external_id"),
            ["workspace_id", "inbox_id", "external_id"],
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_customers_workspace_id_merged_into"),
            "customers",
            ["workspace_id", "merged_into"],
            ["workspace_id", "id"],
            ondelete="RESTRICT",
        )

    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("last_used_at", UtcTime(), nullable=True))
        batch_op.add_column(sa.Column("address", sa.String(length=45), nullable=True))
        batch_op.add_column(sa.Column("user_agent", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("device_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("created_by", sa.Uuid(), nullable=True))


ROLES = ("owner", "admin", "supervisor", "agent", "bot", "viewer")
STATES = ("active", "deactivated")
UNCLOSED_OF_TEAM = "status != 'closed' AND team_id IS NOT NULL"
FIRST = {"totp_confirmed": False, "recovery_codes": [], "email_verified": False}


def _add(table: str, columns: dict[str, sa.types.TypeEngine[Any]]) -> None:
    """Add columns that must have a value: rows that are there get the first one."""
    with op.batch_alter_table(table) as batch_op:
        for name, kind in columns.items():
            batch_op.add_column(sa.Column(name, kind, nullable=True))
    rows = sa.table(table, *(sa.column(name, kind) for name, kind in columns.items()))
    op.execute(rows.update().values({name: FIRST[name] for name in columns}))
    with op.batch_alter_table(table) as batch_op:
        for name, kind in columns.items():
            batch_op.alter_column(name, existing_type=kind, nullable=False)


def _words(batch_op: BatchOperations, name: str, column: str, words: tuple[str, ...]) -> None:
    """Let a column hold these words."""
    listed = ", ".join(f"'{word}'" for word in words)
    batch_op.drop_constraint(name, type_="check")
    batch_op.create_check_constraint(name, f"{column} IN ({listed})")


def downgrade() -> None:
    """Who has a role of the workspace's own may only read after it; who is invited is not."""
    with op.batch_alter_table("sign_in_attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_in_attempts_workspace_id_until"))
        batch_op.drop_column("until")
        batch_op.drop_column("pending")

    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_column("created_by")
        batch_op.drop_column("device_id")
        batch_op.drop_column("user_agent")
        batch_op.drop_column("address")
        batch_op.drop_column("last_used_at")

    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("fk_customers_workspace_id_merged_into"), type_="foreignkey"
        )
        batch_op.drop_constraint(
            batch_op.f("uq_customers_workspace_id_inbox_id_external_id"), type_="unique"
        )
        batch_op.drop_index(batch_op.f("ix_customers_workspace_id_merged_into"))
        batch_op.drop_column("blocked_until")
        batch_op.drop_column("blocked_at")
        batch_op.drop_column("merged_into")
        batch_op.drop_column("verified_at")
        batch_op.drop_column("external_id")
        batch_op.drop_column("email_verified")

    with op.batch_alter_table("chat_sessions", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("fk_chat_sessions_workspace_id_team_id"), type_="foreignkey"
        )
        batch_op.drop_index(
            "ix_chat_sessions_unclosed_of_team",
            sqlite_where=sa.text(UNCLOSED_OF_TEAM),
            postgresql_where=sa.text(UNCLOSED_OF_TEAM),
        )
        batch_op.drop_index(batch_op.f("ix_chat_sessions_workspace_id_team_id"))
        batch_op.drop_column("team_id")

    agents = sa.table(
        "agents", *(sa.column(name) for name in ("role", "role_id", "status", "password_hash"))
    )
    op.execute(agents.update().where(agents.c.role == "custom").values(role="viewer", role_id=None))
    op.execute(agents.update().where(agents.c.status == "invited").values(status="deactivated"))
    op.execute(agents.update().where(agents.c.password_hash.is_(None)).values(password_hash=""))
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.drop_constraint("custom_role", type_="check")
        _words(batch_op, "role", "role", ROLES)
        _words(batch_op, "agentstatus", "status", STATES)
        batch_op.drop_constraint(batch_op.f("fk_agents_workspace_id_role_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_agents_workspace_id_role_id"))
        batch_op.alter_column("password_hash", existing_type=sa.String(length=200), nullable=False)
        for name in ("recovery_codes", "totp_step", "totp_confirmed", "totp_secret", "role_id"):
            batch_op.drop_column(name)

    with op.batch_alter_table("team_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_team_members_workspace_id_agent_id"))

    op.drop_table("team_members")
    with op.batch_alter_table("one_time_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_one_time_links_workspace_id_agent_id"))

    op.drop_table("one_time_links")
    with op.batch_alter_table("agent_identities", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agent_identities_workspace_id_agent_id"))

    op.drop_table("agent_identities")
    with op.batch_alter_table("inbox_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_inbox_keys_workspace_id_inbox_id"))

    op.drop_table("inbox_keys")
    op.drop_table("teams")
    op.drop_table("roles")
    with op.batch_alter_table("shown_proofs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_shown_proofs_workspace_id_expires_at"))

    op.drop_table("shown_proofs")
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_entries_workspace_id_at_id"))

    op.drop_table("audit_entries")

"""The event before the latest commit

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feed_head", sa.Column("before_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("feed_head", schema=None) as batch_op:
        batch_op.drop_column("before_id")

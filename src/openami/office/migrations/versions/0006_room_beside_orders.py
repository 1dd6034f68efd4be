"""Room beside reading orders for what becomes of them."""

from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE reading_orders SET (fillfactor = 50)")


def downgrade():
    op.execute("ALTER TABLE reading_orders RESET (fillfactor)")

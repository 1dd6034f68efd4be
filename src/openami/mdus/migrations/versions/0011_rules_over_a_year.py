"""since when a finding is known, and what is to be reviewed once more"""

import sqlalchemy as sa
from alembic import op


revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('vee_review_due',
    sa.Column('channel', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.PrimaryKeyConstraint('channel', 'day', name=op.f('pk_vee_review_due'))
    )
    # findings from before count as known ever since: the transactions that wrote them are not told any more
    op.add_column('vee_finding', sa.Column('transaction', sa.BigInteger(), server_default='0', nullable=False))
    op.alter_column('vee_finding', 'transaction', server_default=sa.text('(pg_current_xact_id()::text)::bigint'))
    op.create_index('ix_vee_finding_estimates', 'vee_finding', ['channel', 'day'], unique=False, postgresql_where=sa.text("rule LIKE 'E%'"))


def downgrade():
    op.drop_index('ix_vee_finding_estimates', table_name='vee_finding', postgresql_where=sa.text("rule LIKE 'E%'"))
    op.drop_column('vee_finding', 'transaction')
    op.drop_table('vee_review_due')

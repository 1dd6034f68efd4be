"""The enterprise door of the middle: what the back office asks, answered exactly once.

In: SAP enterprise services of the back office (`_Out` operations), through the inbox. Out: confirmations, registered
notifications, reading results, interval uploads, events (`_In` operations), through the outbox, each in the transaction
of what it tells. One module a matter: `master_data`, `orders`, `connection`, `upload`, `notices`, `answers`; `desk` is
what they share (bulk, logs, patience with predecessors). Upstream: the back office. Downstream: registry, commands.
"""

"""Events: one vocabulary for what meters and metering systems report.

In: end device events of any AMS (`shared.contract.field` has named them already), and late failures of our own. Out:
each event once, stored with its device; those that the back office wants, with its codes (`enterprise.csv`, data that a
customer edits). Upstream: `mdus/field_door`. Downstream: `mdus/commands` (switch events), `mdus/services`, views.
"""

"""Events: one vocabulary for what meters and metering systems report.

In: end device events of any AMS (`shared.contract.field` has named them already), and late failures of our own. Out:
each event once, stored with its device; those that the back office wants (`forwarding.csv`, data that a customer
edits), with the codes of the contract's tables. Upstream: `mdus/field_side`. Downstream: `mdus/commands` (switch
events), `mdus/services`, views.
"""

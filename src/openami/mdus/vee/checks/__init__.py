"""Validation rules V01 to V36: one function each, over matrices of channel-days.

A rule reads what it needs from `Facts`; what few rules need comes by name in `Facts.more`. A rule whose facts are
absent does not test: it neither passes nor fails anything.
"""

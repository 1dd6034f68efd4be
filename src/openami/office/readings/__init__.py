"""Meter readings of the office: what was ordered, what came back, what the intervals say.

Comes in: results of reading orders and interval uploads from the middle. Goes out: reading orders, confirmations.
Billing reads registers and interval days from here. Nothing is overwritten: a change is a new version.
"""

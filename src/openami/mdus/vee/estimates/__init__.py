"""Estimation methods E01 to E20: one function each, over matrices of channel-days."""

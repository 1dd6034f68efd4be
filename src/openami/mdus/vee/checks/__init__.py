"""Validation rules V01 to V36: one function each, over matrices of channel-days."""

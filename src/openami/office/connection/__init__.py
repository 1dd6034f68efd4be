"""Disconnection and reconnection: from the reminder that nobody paid to the proof that the breaker moved.

Comes in: people's commands (disconnect, payment) and the middle's confirmations with the result of each device. Goes
out: connection status change requests. A disconnect is dangerous: protected customers, a rate cap and a state table
stand before it.
"""

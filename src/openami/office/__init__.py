"""The utility: devices, readings, billing, connection, supply.

Comes in: people's commands (JSON on `/api`), and what the middle says (confirmations, results, intervals, events).
Goes out: enterprise services to the middle, bills to customers. The middle may be ours or anybody's: the office knows
nothing of meters' keys and addresses, and the middle nothing of prices.
"""

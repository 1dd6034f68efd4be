"""Commands: orders to switch a supply, from accepted to proven.

In: connection requests of the back office (`services/connection`), and what the AMS says: its answer, the switch event,
the breaker read back. Out: controls and read-backs to the AMS (`Controls`), and, when every device of a request is
through, one confirmation. A disconnect is dangerous: above the safety limits it is held until a second person releases
it. Nothing counts as done before the switch event and the breaker agree.
"""

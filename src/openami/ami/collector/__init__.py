"""The collector: takes M-Bus telegrams that concentrators forward, and keeps each before it says so.

Comes in: TCP connections of concentrators with wired M-Bus long frames of gas and water meters. Goes out: E5 for every
frame that is durable, and dial readings to the MDUS, bundled (`forwarding`). Upstream: the concentrator, or any
level converter that speaks the same. A repeated telegram is acknowledged again and kept once.
"""

"""Simulated meters: a street of them, measuring what recordings of real homes say, and answering in DLMS and M-Bus.

In: time (`Fleet.advance_to`), orders by DLMS, and what happens in a street (faults, a fitter, power cuts).
Out: registers, load profiles, event logs and breaker states over DLMS; telegrams of gas and water meters.
Upstream is the recording of a home; downstream the concentrator of its transformer.
"""

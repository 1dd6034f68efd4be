"""The middle: meter data unification and synchronization. Many AMS in, one trusted series out; orders down, proof up.

Comes in: enterprise services of the back office (master data, reading orders, connection requests), and what every AMS
delivers over the field seam (readings, events, answers). Goes out: confirmations, results, interval uploads and events
to the back office; master data, controls and questions to the AMS. `middle` wires the parts, `flow` is the way of a
delivery, `duties` are what happens by the clock, `area` is how a process runs it all.
"""

"""VEE: named rules validate, estimate and edit.

In: matrices of channel-days from `series` and what else is known of them (registers, supply, history).
Out: the same days with a verdict on each interval and estimates where none was usable, and findings that say which
rule fired on what; kept as new versions. Rules are data: a sentence, parameters with their source, a function.
"""

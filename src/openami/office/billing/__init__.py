"""From intervals and register readings to a bill, and its correction.

Comes in: contracts (`office/supply`), installed devices (`office/devices`), interval days and register readings
(`office/readings`). Goes out: bills (pending, posted, voided), each as JSON and as a page. A contract whose data does
not pass the gate is withheld, with the reasons, and is looked at again by the next run.

The calculation (`tariff`, `calendar`, `charges`, `rules`, `compute`) takes values and returns values; `store` and
`handlers` keep them.
"""

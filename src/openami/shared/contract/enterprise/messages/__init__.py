"""The messages as frozen values, one module per schema file; written by `generate`, never by hand.

Attribute names are the exact XML names in snake case (`UtiltiesDevice` is `utilties_device`: the misspelling is part of
the contract). The repeated items of every bulk message are called `items`.
"""

"""Data concentrators: one beside each transformer, the road between its meters and the head-end.

Three modes: a router passes on what is asked; store-and-forward reads its meters by itself and answers from that; a
hybrid asks the meter and falls back on what it has read. Its segment may be slow and lose frames.

In: DLMS requests over the TCP wrapper with a gateway header, which it carries to the meter meant; hourly answers of the
gas and water meters on its M-Bus segment. Out: the meters' answers, and the telegrams, each sent to the head-end's
collector again and again until it is acknowledged. Upstream are the meters (`ami/meter`), downstream the head-end.
"""

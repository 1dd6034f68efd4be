"""Files on their way into the series: uploads, the drop folder, `openami ingest`.

In: files of any size and format that an adapter reads, kept raw before they are acknowledged. Out: their readings and
events to `flow`, batch by batch, each batch and the note of how far the file has come in one transaction; whatever is
refused, with position and reason, to be replayed when its cause is mended. Upstream: people and partners' systems.
"""

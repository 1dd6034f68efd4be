"""One shape for what any meter's language says: `openami decode` shows it, collectors store it.

In: bytes of a file or a line, in a language that is told or to be found. Out: `DecodedTelegram` values, one a telegram,
with exact readings or the reason why there are none. Upstream are the decoders of `dlms` (pushes), `mbus`, `p1`, `sml`
and `iec62056_21`.
"""

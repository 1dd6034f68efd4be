"""The office's side of the enterprise services: which message goes to which handler, and what we still wait for.

Comes in: messages of the middle, through the door. Goes out: our requests, each remembered by its UUID until the
confirmation that refers to it has come.
"""

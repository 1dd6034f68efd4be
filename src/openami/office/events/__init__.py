"""Events of the field, as the middle reports them: kept, classified by a table, and cases that a person works on.

Comes in: event messages. Goes out: confirmations; an event whose class asks for it (tampering) opens a case.
"""

"""Device master data: received, announced, confirmed, installed, registered in its AMS, removed.

Comes in: people's commands (receive, install, replace), confirmations and registered notifications of the middle.
Goes out: device creation, registers, location, point of delivery, time-series assignment. Readings, billing and
connection look up here which device stood where and when.
"""

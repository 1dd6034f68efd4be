"""Who is supplied where, on which tariff, since when: customers and contracts with their dates.

Comes in: move-in and move-out commands (an installation may bring the first one with it). Billing asks here for the
contracts of a period, connection for the protection of a customer.
"""

"""Public test kit: fake wire, jumping clock, seeded world, fake partners."""

"""The utility: devices, readings, billing, connection, supply; talks to the middle through enterprise services only."""

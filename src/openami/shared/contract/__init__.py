"""The two seams between the areas, as messages: field (AMS <-> MDUS) and enterprise (MDUS <-> back office)."""

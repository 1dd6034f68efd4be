"""Console: pages and JSON over the areas' HTTP interfaces only."""

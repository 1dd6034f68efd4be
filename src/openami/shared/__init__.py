"""Words and tools all areas speak: time, quality, errors, stores, seams. Imports none of the areas."""

"""The field: meters, data concentrators and head-ends that measure, gather and command over real protocols."""

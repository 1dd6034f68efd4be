"""Every figure that the documents claim, reproducible with one command: `make bench`."""

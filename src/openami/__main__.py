"""`python -m openami` is the command `openami`."""

from openami.cli import main

if __name__ == "__main__":
    main()

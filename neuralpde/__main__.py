"""``python -m neuralpde`` is the command line."""

from neuralpde.cli import main

if __name__ == "__main__":
    main()

"""`python -m jactrain`: the command line."""

from jactrain.cli import main

if __name__ == "__main__":
    main()

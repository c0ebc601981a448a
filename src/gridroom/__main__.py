"""`python -m gridroom` is the command `gridroom`."""

from gridroom.cli import main

main()

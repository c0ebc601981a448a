"""What an operator looks at: status and risk, the list of cables, and figure 6 of a cable, in a file or a terminal."""

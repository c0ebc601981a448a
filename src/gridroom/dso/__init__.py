"""The back office of the grid operator (DSO)."""

"""The back office of the charge station operator (CSO)."""

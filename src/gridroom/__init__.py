"""Gridroom: electric cars share a cable, over the Open Smart Charging Protocol."""

__version__ = "0.1.0"

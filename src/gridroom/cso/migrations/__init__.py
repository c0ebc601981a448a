"""Numbered migrations of the CSO's database."""

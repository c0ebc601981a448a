"""Numbered migrations of the DSO's database."""

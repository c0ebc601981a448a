"""Forecast of non-controllable load and its safety margin, learned for a whole fleet of series at once."""

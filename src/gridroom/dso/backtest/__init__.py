"""How good forecast and margin would have been on a year of somebody's loads, beside plain methods in the same run."""

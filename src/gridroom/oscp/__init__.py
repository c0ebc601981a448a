"""The Open Smart Charging Protocol between a grid operator (DSO) and charge station operators (CSO)."""

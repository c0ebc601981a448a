"""The charge station and its local controller: simulated hardware, real protocol."""

"""A simulated street: the production code on one cable, for one day."""

"""Where an actor keeps its state, and the letters it owes and has received."""

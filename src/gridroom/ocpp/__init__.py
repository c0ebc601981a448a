"""OCPP between a charge station operator and its charge stations."""

"""Thin shells that carry OSCP over HTTPS with mutual TLS."""

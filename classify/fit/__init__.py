"""Photographs to an evaluated head."""

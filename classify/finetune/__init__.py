"""End-to-end training from a freeze boundary."""

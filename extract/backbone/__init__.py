"""Networks, their preprocessing and their weights."""

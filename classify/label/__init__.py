"""``label``: from photographs without labels to a manifest and a classifier, on a page on loopback."""

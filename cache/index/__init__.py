"""Where each row lies: sorted runs on the disk, derived from the segments, and what looks them up."""

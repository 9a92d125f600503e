"""The trainable part of a backbone."""

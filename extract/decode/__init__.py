"""Bytes to pixels: one recipe for training and prediction."""

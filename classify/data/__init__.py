"""Rows, splits, folds, groups."""

"""The data doctor: duplicates, leaks, likely label errors, outliers."""

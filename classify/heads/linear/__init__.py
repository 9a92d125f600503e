"""The exact linear solver, where it earns its keep."""

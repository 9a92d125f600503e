"""A module a command: parse, call one function, print. No logic."""

"""``search``: the photographs that look most like some, or that a model calls most surely a class."""

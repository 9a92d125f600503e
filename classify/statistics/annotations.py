"""Numbers of JSON documents, with the bounds that a schema states."""

from typing import Annotated


def rules(**keywords: object) -> tuple[tuple[str, object], ...]:
    """Return what a JSON schema says of a value beside its type, to annotate the type with."""
    return tuple(keywords.items())


Count = Annotated[int, rules(minimum=0)]
Share = Annotated[float, rules(minimum=0, maximum=1)]
Difference = Annotated[float, rules(minimum=-1, maximum=1)]
Interval = Annotated[list[float], rules(minItems=2, maxItems=2)]

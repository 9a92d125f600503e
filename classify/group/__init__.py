"""``group``: photographs that look alike, put together; how many groups there are is found."""

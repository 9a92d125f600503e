"""Shards: files that hold many images."""

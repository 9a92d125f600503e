"""Extraction spread over worker processes: shards of images, done by Dask, Ray or a GPU each."""

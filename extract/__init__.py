"""Photographs to features: datasets, decoding, backbones, engines, the pipeline."""

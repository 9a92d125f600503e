"""Where images come from: folders, manifests, buckets, shards, memory."""

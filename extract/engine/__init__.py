"""Batches of images to features, by TensorFlow or ONNX Runtime."""

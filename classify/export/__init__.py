"""A trained classifier for other runtimes: ONNX, TensorFlow Lite, SavedModel."""

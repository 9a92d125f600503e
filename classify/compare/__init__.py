"""Transfer against fine-tuning, on the same images."""

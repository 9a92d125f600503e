"""Labels for new images, and figures for labelled ones."""

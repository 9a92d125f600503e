"""Features to answers: heads, fine-tuning, evaluation, the report."""

"""Making a model: cohort, pre-training, training, evaluation."""

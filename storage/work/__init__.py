"""Work for pipelines: jobs, results, and who runs which pipeline."""

"""The worker: claims jobs, runs pipelines on them and records what came out."""

"""A bundle: a folder of manifest.json and model.safetensors, all that a pipeline needs to run."""

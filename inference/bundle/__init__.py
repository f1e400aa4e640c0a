"""A bundle: a folder of manifest.json, model.safetensors and model_card.html.

It is all that a pipeline needs to run.
"""

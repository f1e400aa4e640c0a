"""The networks: frame encoders, attention fusion, the multi-view model and its pre-training."""

"""How the model of chest films and ECGs is made: recipe, cache, training, judging, packing."""

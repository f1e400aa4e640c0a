"""Is everything in place? Each check gives a sentence, or raises an error that says what to do."""

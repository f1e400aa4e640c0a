"""The pipelines whose models can be made here; free of what only training needs."""

ECHO, ECG, FILM_AND_ECG = PIPELINES = ("echo_haemodynamics", "ecg_ph", "cxr_ecg")

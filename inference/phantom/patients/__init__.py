"""The patients of a cohort: the same for every kind of phantom of one seed."""

from inference.phantom.patients.patient import Patient, draw_patient

__all__ = ["Patient", "draw_patient"]

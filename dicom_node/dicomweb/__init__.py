"""DICOMweb services of other systems: the one room that speaks HTTP (PS3.18)."""

"""TLS for DICOM: the profile, the files it lives on, and whose certificate is whose."""

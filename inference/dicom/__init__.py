"""DICOM files as pipelines meet them: headers read without pixels, values read without raising."""

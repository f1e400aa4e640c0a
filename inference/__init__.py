"""Pure computation: from DICOM files to findings. No database and no network."""

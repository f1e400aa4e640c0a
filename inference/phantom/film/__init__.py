"""Synthetic labelled chest films: valid DICOM that looks like a radiograph and belongs to nobody."""

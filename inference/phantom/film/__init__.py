"""Synthetic labelled chest films: valid DICOM that looks like one and is nobody's."""

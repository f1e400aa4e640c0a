"""Radiographs: from a DICOM film of the chest to the numbers that an encoder sees."""

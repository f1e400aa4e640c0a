"""Electrocardiograms: from DICOM waveforms (or WFDB records) to leads in mV, beats and pictures."""

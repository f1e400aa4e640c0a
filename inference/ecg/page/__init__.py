"""An ECG that exists only as a picture of its page: grid, layout, calibration, then samples."""

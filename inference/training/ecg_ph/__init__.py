"""How the model of pulmonary hypertension from an ECG alone is made and judged."""

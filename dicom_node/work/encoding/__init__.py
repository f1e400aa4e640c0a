"""Where looks are encoded: each module is one place behind `inference.pipeline.Encoder`."""

"""DICOM audit messages (PS3.15 A.5) over syslog TLS (A.6): what the audit says, told elsewhere."""

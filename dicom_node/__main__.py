"""`python -m dicom_node` is the command `echonode`."""

from dicom_node.cli import main

main()

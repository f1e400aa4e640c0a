"""What takes a report back: rejection notes, corrected identification, withdrawn studies."""

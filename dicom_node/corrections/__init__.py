"""What takes a report back: rejection notes, corrected identification, withdrawn studies.

reasons           the four titles of an IOCM rejection note, and what each means here
rejection_note    reading one, whatever it holds
receiving         keeping one that came with a study, if its sender may reject
effects           what all of them mean for the next report
"""

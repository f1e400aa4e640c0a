"""Tries what another system takes and says in plain words what to change, on which side.

    reaching      address and connection
    trusting      certificates, theirs and ours
    negotiation   association, echo, which SOP class in which transfer syntax
    synthetic     a report of a patient who does not exist
    sending       that report sent as a real one would be, read back, and taken away again
    committing    storage commitment of it
    web           a DICOMweb service: the same by HTTP
    reporting     reports on commitment that were turned away
    incoming      what the node knows of a system that calls it
    advice        from evidence to what an administrator is to do
    doctor        the ways in

Nothing is stored at the other system unless that is asked for. No patient's data are used.
"""

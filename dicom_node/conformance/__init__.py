"""The DICOM Conformance Statement of this node as it is configured (PS3.2 annex N).

    facts         what the settings say
    statement     the whole document
    overview, services, proposed, statuses, configuration, network, security, instances
                  its sections
    described     tables that stand in docstrings, read from there
    document      sections and tables
    markdown, page
                  the two ways to write it down

What the code decides is asked of the code: `scp.offered` proposes every SOP class to the function
that negotiates, and `instances` looks at objects that are made for it. No list stands here twice.
"""

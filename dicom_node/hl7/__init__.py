"""HL7 version 2.5.1: results as ORU^R01 messages, sent by MLLP to a RIS.

segments                                      fields, components and escape sequences
people, observations -> result_message        from findings to the message
acknowledgement, mllp                         how it is sent, and what the answer means
"""

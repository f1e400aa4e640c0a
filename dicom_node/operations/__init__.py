"""What an operator can see and do: plain functions that take who asks and leave the audit's trace.

The commands render what they return, and so may a web page.
"""

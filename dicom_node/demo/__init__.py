"""The demonstration: a cart, a node and a PACS on this machine, and two synthetic studies."""

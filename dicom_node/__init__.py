"""The node: its processes, its associations, its reports and its operators' commands."""

__version__ = "0.7.0"

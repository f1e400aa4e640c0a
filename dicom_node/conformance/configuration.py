"""Section 6: the settings, with their defaults and as they are."""

from itertools import groupby

from dicom_node.conformance.document import Section, Table
from dicom_node.conformance.facts import Facts, Parameter

_WHERE = (
    "Everything is set in one file of settings, and may be overridden by the environment; the "
    "values below are those in force. Addresses, secrets and files are left out."
)


def configuration(facts: Facts) -> Section:
    """One table for each table of the settings file."""
    groups = groupby(facts.parameters, lambda parameter: parameter.key.rpartition(".")[0])
    tables = [_table(name, list(parameters)) for name, parameters in groups]
    return Section("Configuration", (_WHERE, *tables))


def _table(name: str, parameters: list[Parameter]) -> Table:
    rows = [
        (item.key.rpartition(".")[2], item.description, item.default, item.value)
        for item in parameters
    ]
    return Table(f"[{name}]", ("Parameter", "Meaning", "Default", "Value"), rows)

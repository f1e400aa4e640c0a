"""What was measured otherwise, by catheter: read from the hospital's table, for the reports."""

from collections import defaultdict
from pathlib import Path

from inference.earlier import Reference, ReferenceValues
from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.cohort.labels import read_labels
from inference.training.cohort.rows import COLUMNS


def read_reference_values(path: Path) -> ReferenceValues:
    """Read a table of catheterisations, as `read_labels` takes it; bad rows are left out.

    Raises:
        TrainingDataError: it cannot be used as a whole.
    """
    found: dict[str, dict[str, tuple[Reference, ...]]] = defaultdict(dict)
    table = read_labels(path).table.sort_values("rhc_date")
    for row in table.to_dict("records"):
        of_patient = found[row["patient_id"]]
        for name, column in COLUMNS.items():
            if row[column] == row[column]:  # no NaN: it was measured
                measured = Reference(
                    f"{row['rhc_date']:%Y%m%d}", float(row[column]), QUANTITIES[name].unit
                )
                of_patient[name] = (*of_patient.get(name, ()), measured)
    return found

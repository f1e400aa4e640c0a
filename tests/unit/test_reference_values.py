"""What a hospital measured otherwise is read from its table, or the reports do without it."""

from pathlib import Path

from dicom_node.app.reference_values import reference_values
from dicom_node.settings.model import Settings
from inference.types import Reference
from tests.report_cases import MMHG, WOOD

TABLE = """patient_id,rhc_date,mpap_mmhg,pvr_wu,pawp_mmhg
P1,2025-03-10,41,6.1,10
P1,2024-04-01,33,,9
P2,2025-03-11,12,1.1,6
P3,2025-03-11,high,1.1,6
"""


def settings(table: Path | None) -> Settings:
    return Settings.model_validate({"work": {"reference_values": table}})


def test_each_patient_has_the_values_in_their_order(tmp_path: Path) -> None:
    table = tmp_path / "rhc.csv"
    table.write_text(TABLE)
    found = reference_values(settings(table))
    assert set(found) == {"P1", "P2"}
    assert found["P1"] == {
        "mPAP": (Reference("20240401", 33.0, MMHG), Reference("20250310", 41.0, MMHG)),
        "PVR": (Reference("20250310", 6.1, WOOD),),
        "PAWP": (Reference("20240401", 9.0, MMHG), Reference("20250310", 10.0, MMHG)),
    }


def test_without_a_table_that_can_be_read_there_are_none(tmp_path: Path) -> None:
    assert reference_values(settings(None)) == {}
    assert reference_values(settings(tmp_path / "not-there.csv")) == {}
    (tmp_path / "other.csv").write_text("patient_id,mpap_kpa\nP1,4\n")
    assert reference_values(settings(tmp_path / "other.csv")) == {}

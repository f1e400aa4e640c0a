"""What the labels of a phantom cohort say of a study, as a hospital's table of catheters does."""

from inference.phantom.cohort_folder import Row
from inference.phantom.haemodynamics import Catheterisation
from inference.phantom.visits import Visit
from inference.phantom.writing import StudyTags


def label_row(study: StudyTags, visit: Visit, catheter: Catheterisation) -> Row:
    """The row of a study; without a catheterisation its values are empty."""
    done = visit.rhc_date is not None
    return {
        "patient_id": study.patient_id,
        "study_instance_uid": study.uid,
        "exam_date": visit.exam_date.isoformat(),
        "rhc_date": visit.rhc_date.isoformat() if visit.rhc_date else "",
        "mpap_mmhg": catheter.mpap_mmhg if done else "",
        "pvr_wu": catheter.pvr_wu if done else "",
        "pawp_mmhg": catheter.pawp_mmhg if done else "",
    }

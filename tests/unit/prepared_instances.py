"""Instances of a case as a worker has prepared them."""

import json
from dataclasses import asdict

from dicom_node.work.feature_codec import encode_features
from inference.types import Features, InstanceRef
from storage.reading.cases import CaseInstance
from tests.contract.storing import digest, preparation

US_MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"


def prepared_instance(number: int, bundle_digest: str, *, removed: bool = False) -> CaseInstance:
    """A selected ultrasound loop with the features that this bundle made of it."""
    reference = InstanceRef(US_MULTI_FRAME, f"1.2.3.{number}", "1.2.8", modality="US")
    return CaseInstance(
        instance_id=number,
        sop_class_uid=US_MULTI_FRAME,
        sop_instance_uid=reference.sop_instance_uid,
        series_instance_uid="1.2.8",
        digest=digest(str(number)),
        instance_number=str(number),
        modality="US",
        patient_differs=False,
        preparation=preparation(
            number,
            bundle_digest=bundle_digest,
            instance_json=json.dumps(asdict(reference)),
            features=encode_features(Features({}, (1,))),
        ),
        prepare_failed=None,
        removed=removed,
    )

"""The job `prepare`: judge one instance and, where it takes part, keep the features of its loop."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from dicom_node.work.feature_codec import encode_features
from inference.dicom.header import read_header
from inference.errors import LoopUnreadableError
from inference.exclusions import NOT_DECODABLE
from inference.pipeline import Pipeline
from inference.types import Rejected, Selected
from storage.results import Preparation


def prepare(instance_id: int, file: Path, pipeline: Pipeline, now: datetime) -> Preparation:
    """Judge one instance; a loop that does not decode is rejected with that reason.

    Raises:
        inference.errors.InferenceError: the pipeline itself failed; nothing is known of the loop.
    """
    selection = pipeline.select(read_header(file))
    features = None
    if isinstance(selection, Selected):
        try:
            features = encode_features(pipeline.encode(file, selection))
        except LoopUnreadableError as error:
            selection = Rejected(
                selection.instance,
                selection.verdicts,
                NOT_DECODABLE,
                str(error),
            )
    rejected = selection if isinstance(selection, Rejected) else None
    return Preparation(
        instance_id=instance_id,
        pipeline=pipeline.name,
        bundle_digest=pipeline.model.bundle_digest,
        selected=rejected is None,
        reason_code=rejected.reason.value if rejected else "",
        reason_meaning=rejected.reason.meaning if rejected else "",
        detail=rejected.detail if rejected else "",
        verdicts_json=json.dumps([asdict(verdict) for verdict in selection.verdicts]),
        instance_json=json.dumps(asdict(selection.instance)),
        features=features,
        prepared_at=now,
    )

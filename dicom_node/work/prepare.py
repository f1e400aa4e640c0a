"""The job `prepare`: judge one instance and, where it takes part, keep its features."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom import Dataset

from dicom_node.work.feature_codec import encode_features
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.exclusions import NOT_DECODABLE
from inference.pipeline import Pipeline, require_own
from inference.types import Features, Rejected, Selected, Selection
from storage.work.jobs import Job
from storage.work.results import Preparation


@dataclass(frozen=True, slots=True)
class Judged:
    """An instance after all that needs no model; `look` is None where it takes no part.

    `settings` are those that it was judged under.
    """

    selection: Selection
    settings: str
    look: Any = None


def judge(file: Path, header: Dataset, pipeline: Pipeline, profile: str | None = None) -> Judged:
    """Judge one instance and decode it; what its pixels speak against is rejected all the same.

    `header` is that of the file. `profile` is that of the selection which the peer's settings name;
    None: the pipeline's own.

    Raises:
        inference.errors.InferenceError: the pipeline itself failed; nothing is known of the
            instance.
    """
    selection = pipeline.select(header, profile)
    require_own(pipeline, selection, Selected, Rejected)
    settings = settings_of(pipeline, profile)
    if not isinstance(selection, Selected):
        return Judged(selection, settings)
    try:
        return Judged(selection, settings, pipeline.look(file, selection))
    except InstanceExcludedError as error:
        verdicts = (*selection.verdicts, error.verdict)
        return Judged(
            Rejected(selection.instance, verdicts, error.reason, error.verdict.detail), settings
        )
    except InstanceUnreadableError as error:
        return Judged(
            Rejected(selection.instance, selection.verdicts, NOT_DECODABLE, str(error)), settings
        )


def settings_of(pipeline: Pipeline, profile: str | None) -> str:
    """The settings that an instance is prepared under; `profile` is its sender's own."""
    own = f"sender's profile {profile}" if profile else ""
    return "; ".join(filter(None, [*pipeline.model.preparing, own]))


def preparation(
    job: Job,
    judged: Judged,
    features: Features | None,
    pipeline: Pipeline,
    now: datetime,
) -> Preparation:
    """What is kept of the instance of a job; `features` are there where it was selected."""
    assert job.instance_id is not None  # noqa: S101 - it was looked at
    selection = judged.selection
    rejected = selection if isinstance(selection, Rejected) else None
    return Preparation(
        instance_id=job.instance_id,
        pipeline=job.pipeline,
        pipeline_version=pipeline.version,
        bundle_digest=pipeline.model.bundle_digest,
        selected=rejected is None,
        reason_code=rejected.reason.value if rejected else "",
        reason_meaning=rejected.reason.meaning if rejected else "",
        detail=rejected.detail if rejected else "",
        verdicts_json=json.dumps([asdict(verdict) for verdict in selection.verdicts]),
        instance_json=json.dumps(asdict(selection.instance)),
        features=encode_features(features) if features else None,
        prepared_at=now,
        settings=judged.settings,
    )

"""The composition root of the analysis: from the settings to loaded pipelines."""

import threading
from concurrent.futures import Future

import structlog

from dicom_node.settings.model import PipelineSettings, Settings
from dicom_node.work.unusable import Unusable
from inference.errors import InferenceError, PipelineUnusableError
from inference.pipeline import Pipeline, load_pipeline

log = structlog.get_logger()


def open_pipeline(item: PipelineSettings, limit_s: float, device: str | None = None) -> Pipeline:
    """A pipeline as the settings want it, or on another device, loaded within a time limit.

    Raises:
        inference.errors.InferenceError: its package or its bundle cannot be used.
    """
    place = item.device if device is None else device
    loading: Future[Pipeline] = Future()

    def load() -> None:
        try:
            made = load_pipeline(item.name, item.bundle, place, item.precision, **item.choices)
            loading.set_result(made)
        except BaseException as error:  # noqa: BLE001 - raised again below
            loading.set_exception(error)

    # A daemon: a package that hangs must not keep a stopped process alive.
    threading.Thread(target=load, name=f"load {item.name}", daemon=True).start()
    try:
        return loading.result(limit_s)
    except TimeoutError as error:
        why = f"it was not loaded within {limit_s:g} s (`step_limit_s`)"
        raise PipelineUnusableError(item.name, why) from error


def load_pipelines(settings: Settings) -> dict[str, Pipeline]:
    """All of them, by name; in place of one that cannot be used stands one whose jobs all fail.

    Raises:
        inference.errors.InferenceError: none can be used, so that there is nothing to work with.
    """
    loaded: dict[str, Pipeline] = {}
    broken: dict[str, InferenceError] = {}
    for item in settings.pipeline:
        try:
            loaded[item.name] = open_pipeline(item, settings.work.step_limit_s)
        except InferenceError as error:
            log.exception("pipeline cannot be used", pipeline=item.name)
            broken[item.name] = error
    if broken and not loaded:
        raise next(iter(broken.values()))
    return {
        item.name: loaded.get(item.name) or Unusable(item.name, broken[item.name])
        for item in settings.pipeline
    }

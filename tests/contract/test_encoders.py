"""What every encoder promises: one `Features` for each look, or the pipeline's own error."""

import gc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from dicom_node.work.encoding.local import LocalEncoder
from inference.errors import InferenceError, PipelineUnusableError
from inference.pipeline import Encoder, Pipeline
from tests.work_bench import Numbers

#: By name: from a pipeline to an encoder of it.
ENCODERS: dict[str, Callable[[Pipeline], Encoder]] = {"local": LocalEncoder}


@pytest.fixture(params=ENCODERS)
def encoder_of(request: pytest.FixtureRequest) -> Callable[[Pipeline], Encoder]:
    return ENCODERS[request.param]


@pytest.fixture
def pipeline() -> Numbers:
    return Numbers()


def test_each_look_has_its_features_in_order(
    encoder_of: Callable[[Pipeline], Encoder], pipeline: Numbers
) -> None:
    made = encoder_of(pipeline).submit([3, 1, 2]).result(60)
    assert [float(each.arrays["n"][0]) for each in made] == [3, 1, 2]


def test_several_batches_may_be_submitted_before_any_is_waited_for(
    encoder_of: Callable[[Pipeline], Encoder], pipeline: Numbers
) -> None:
    encoder = encoder_of(pipeline)
    futures = [encoder.submit([number]) for number in range(5)]
    assert [float(each.result(60)[0].arrays["n"][0]) for each in futures[::-1]] == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("error", [InferenceError("not finite"), MemoryError(), RuntimeError("x")])
def test_what_the_pipeline_raises_is_the_exception_of_the_future(
    encoder_of: Callable[[Pipeline], Encoder], pipeline: Numbers, error: Exception
) -> None:
    def fail(_: Sequence[int]) -> None:
        raise error

    pipeline.on_encode = fail
    found = encoder_of(pipeline).submit([1]).exception(60)
    assert type(found) is type(error)
    assert str(found) == str(error)


def test_one_that_failed_is_no_harm_to_the_next(
    encoder_of: Callable[[Pipeline], Encoder], pipeline: Numbers
) -> None:
    encoder = encoder_of(pipeline)
    pipeline.bad = {2}
    assert isinstance(encoder.submit([1, 2]).exception(60), InferenceError)
    assert len(encoder.submit([1]).result(60)) == 1


@pytest.mark.parametrize("made", [None, [], (), [1], "features"], ids=repr)
def test_anything_but_features_of_each_is_refused(
    encoder_of: Callable[[Pipeline], Encoder], pipeline: Numbers, made: Any
) -> None:
    pipeline.encode = lambda looks: made  # type: ignore[method-assign, assignment]
    found = encoder_of(pipeline).submit([1]).exception(60)
    assert isinstance(found, PipelineUnusableError)
    assert pipeline.name in str(found)


def test_a_batch_that_failed_leaves_no_memory_in_use(
    encoder_of: Callable[[Pipeline], Encoder], pipeline: Numbers
) -> None:
    """Else its halves would not fit either, where it was memory that ran out."""
    pipeline.bad = {7}
    look = Look(7)
    kept = weakref.ref(look)
    pipeline.encode = lambda looks: Numbers.encode(pipeline, [item.number for item in looks])  # type: ignore[method-assign]
    gc.disable()
    try:
        assert fails(encoder_of(pipeline), look)
        del look
        assert kept() is None
    finally:
        gc.enable()


class Look:
    """What may be large."""

    def __init__(self, number: int) -> None:
        self.number = number


def fails(encoder: Encoder, look: Look) -> bool:
    try:
        encoder.submit([look]).result(60)
    except InferenceError:
        return True
    return False

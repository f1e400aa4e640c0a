"""What the header of a multiplex group says of its samples: unit, scale, time, gaps."""

import numpy as np
import pytest
from pydicom import Dataset

from inference.ecg.recording import choose, record
from inference.ecg.waveform import read_groups, values_mv


def code(value: str, scheme: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, value
    return item


def header(samples: np.ndarray, **stated: object) -> Dataset:
    """A waveform of one group with lead II; `stated` is said of the channel."""
    channel = Dataset()
    channel.ChannelSourceSequence = [code("2:2", "MDC")]
    channel.ChannelSensitivity = "1"
    channel.ChannelSensitivityUnitsSequence = [code("mV", "UCUM")]
    for keyword, value in stated.items():
        setattr(channel, keyword, value)
    group = Dataset()
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = 1, len(samples)
    group.SamplingFrequency = 500
    group.ChannelDefinitionSequence = [channel]
    group.WaveformBitsAllocated = 8 * samples.itemsize
    sign = "S" if samples.dtype.kind == "i" else "U"
    group.WaveformSampleInterpretation = sign + {1: "B", 2: "S", 4: "L"}[samples.itemsize]
    content = samples.tobytes()
    group.WaveformData = content + b"\0" * (len(content) % 2)
    dataset = Dataset()
    dataset.WaveformSequence = [group]
    return dataset


def lead(dataset: Dataset) -> list[float]:
    return [float(value) for value in values_mv(dataset, read_groups(dataset)[0])[0]]


SAMPLES = np.array([0, 100, 200, -100, 50], np.int16)


@pytest.mark.parametrize(
    ("unit", "scale"),
    [("uV", 1e-3), ("\N{MICRO SIGN}V", 1e-3), ("mV", 1.0), ("V", 1e3), ("nV", 1e-6)],
)
def test_every_unit_becomes_mv(unit: str, scale: float) -> None:
    dataset = header(SAMPLES, ChannelSensitivityUnitsSequence=[code(unit, "UCUM")])
    assert lead(dataset) == pytest.approx((SAMPLES * scale).tolist())


def test_a_value_is_sample_times_sensitivity_times_correction_plus_baseline() -> None:
    dataset = header(
        SAMPLES,
        ChannelSensitivity="2.5",
        ChannelSensitivityCorrectionFactor="0.5",
        ChannelBaseline="-40",
        ChannelSensitivityUnitsSequence=[code("uV", "UCUM")],
    )
    assert lead(dataset) == pytest.approx(((SAMPLES * 1.25 - 40) / 1000).tolist())


@pytest.mark.parametrize(
    "stated",
    [
        {"ChannelSensitivity": None},
        {"ChannelSensitivity": "0"},
        {"ChannelSensitivityUnitsSequence": []},
        {"ChannelSensitivityUnitsSequence": [code("mm[Hg]", "UCUM")]},
    ],
)
def test_without_a_voltage_there_is_no_scale(stated: dict[str, object]) -> None:
    (group,) = read_groups(header(SAMPLES, **stated))
    assert group.channels[0].mv_per_unit is None


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32])
def test_every_linear_kind_of_sample_is_read(kind: type[np.integer]) -> None:
    samples = np.array([1, 2, 100, 3, 4], kind)
    dataset = header(samples)
    assert not read_groups(dataset)[0].fault
    assert lead(dataset) == [1, 2, 100, 3, 4]


@pytest.mark.parametrize(
    ("stated", "first"),
    [
        ({"ChannelSampleSkew": "2"}, [np.nan, np.nan, 0, 100, 200]),
        ({"ChannelTimeSkew": "0.004"}, [np.nan, np.nan, 0, 100, 200]),
        ({"ChannelTimeSkew": "0.004", "ChannelSampleSkew": "4"}, [np.nan, np.nan, 0, 100, 200]),
        ({"ChannelSampleSkew": "-1"}, [100, 200, -100, 50, np.nan]),
        ({"ChannelSampleSkew": "0.4"}, [0, 100, 200, -100, 50]),
        ({"ChannelSampleSkew": "99"}, [np.nan] * 5),
    ],
)
def test_a_channel_that_was_sampled_later_is_moved(
    stated: dict[str, object], first: list[float]
) -> None:
    np.testing.assert_array_equal(lead(header(SAMPLES, **stated)), first)


def test_padding_beyond_the_signal_is_a_gap_and_within_it_only_where_it_lasts() -> None:
    samples = np.tile(np.array([-5, 0, 5, 9], np.int16), 40)
    samples[60:100] = 0
    for padding, expected in ((0, 40), (9, 40)):
        dataset = header(samples)
        dataset.WaveformSequence[0].add_new(
            "WaveformPaddingValue", "OW", np.int16(padding).tobytes()
        )
        gaps = np.isnan(lead(dataset))
        inside = padding == 0
        assert gaps.sum() == (expected if inside else np.count_nonzero(samples == 9))
        assert gaps[62:98].all() == inside


def test_the_lowest_sample_is_a_gap_though_nothing_says_so() -> None:
    samples = SAMPLES.copy()
    samples[2] = -(2**15)
    assert np.isnan(lead(header(samples))).tolist() == [False, False, True, False, False]


def test_samples_that_are_not_as_stated_are_a_fault() -> None:
    dataset = header(SAMPLES)
    dataset.WaveformSequence[0].NumberOfWaveformSamples = 6
    assert read_groups(dataset)[0].fault == "10 bytes of samples, where 12 are stated"
    dataset.WaveformSequence[0].NumberOfWaveformChannels = 2
    assert read_groups(dataset)[0].fault == "2 channels are stated and 1 described"


def test_the_longer_of_two_rhythms_is_taken() -> None:
    short, long = header(SAMPLES), header(np.tile(SAMPLES, 3))
    short.WaveformSequence.append(long.WaveformSequence[0])
    choice = choose(read_groups(short))
    assert choice.channels == ((2, 1),)
    assert record(short, choice).mv.shape == (12, 15)

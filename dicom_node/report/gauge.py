"""A value on a bar from zero to beyond its limit, as the picture and the page draw it."""

from dataclasses import dataclass

from inference.types import Measurement


@dataclass(frozen=True, slots=True)
class Gauge:
    """The bar of one measurement: its interval, and where the bar ends, all in its unit."""

    low: float
    high: float
    end: float

    def share(self, value: float) -> float:
        """How far along the bar a value lies, 0..1."""
        return min(max(value / self.end, 0.0), 1.0)


def gauge(measurement: Measurement) -> Gauge:
    """Without an interval, it begins and ends at the value; without a limit it just holds them."""
    low = measurement.value if measurement.low is None else measurement.low
    high = measurement.value if measurement.high is None else measurement.high
    limit = measurement.upper_limit
    least = 1.5 * high if limit is None else 3 * limit
    return Gauge(low, high, end=max(least, 1.1 * high) or 1.0)

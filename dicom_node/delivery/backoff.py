"""How long to wait before the next attempt: capped, exponential, with full jitter.

Full jitter spreads the retries of many objects, so that a receiver that comes back is not met by
all of them at once.
"""

import random
from collections.abc import Callable

#: Beyond this the cap rules anyway, and powers of two stay within a float.
_LARGEST_EXPONENT = 60


def retry_delay_s(
    attempt: int,
    first_s: float,
    maximum_s: float,
    fraction: Callable[[], float] = random.random,
) -> float:
    """Seconds to wait after the given attempt (1 is the first) has failed.

    Evenly spread between 0 and `first_s` doubled with each attempt, at most `maximum_s`;
    `fraction` draws from 0..1.
    """
    exponent = min(attempt - 1, _LARGEST_EXPONENT)
    return fraction() * min(maximum_s, first_s * 2.0**exponent)

"""What a cohort is too small for, or too lopsided, said when it is built."""

import pandas as pd

from inference.training.cohort.characteristics import PH_LIMIT_MMHG
from inference.training.cohort.splitting import SPLITS

#: Split -> fewer exams than this are warned of, and why.
MINIMUM = {
    "train": (150, "a model may learn little from them"),
    "validation": (30, "thresholds, intervals and probabilities rest on them"),
    "test": (50, "figures will have wide intervals"),
}
FEWEST_OF_A_CLASS = 10
ONE_CLASS = {
    "train": "a model cannot learn to tell the two apart",
    "validation": "no threshold and no probability can be fitted",
    "test": "AUC and one of sensitivity and specificity are undefined",
}


def too_small(exams: pd.DataFrame) -> list[str]:
    """What a reader must know before a model is made: small splits, and those of one class."""
    found = []
    for name in SPLITS:
        group = exams[exams["split"] == name]
        ill = int((group["mpap_mmhg"] > PH_LIMIT_MMHG).sum())
        fewest, purpose = MINIMUM[name]
        if len(group) < fewest:
            found.append(f"the {name} split has {len(group)} exams, fewer than {fewest}: {purpose}")
        smaller = min(ill, len(group) - ill)
        kind = "with" if ill < len(group) - ill else "without"
        if smaller == 0:
            found.append(f"the {name} split has no exam {kind} PH: {ONE_CLASS[name]}")
        elif smaller < FEWEST_OF_A_CLASS:
            found.append(
                f"the {name} split has {smaller} exams {kind} PH, fewer than {FEWEST_OF_A_CLASS}: "
                "figures that rest on them mean little"
            )
    return found

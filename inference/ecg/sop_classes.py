"""The SOP classes of ECGs: of those at rest, of others, and of what only shows one."""

TWELVE_LEAD, GENERAL, GENERAL_32_BIT = (
    "1.2.840.10008.5.1.4.1.1.9.1.1",
    "1.2.840.10008.5.1.4.1.1.9.1.2",
    "1.2.840.10008.5.1.4.1.1.9.1.4",
)
#: The classes of resting ECGs.
ECG_SOP_CLASS_UIDS = frozenset({TWELVE_LEAD, GENERAL, GENERAL_32_BIT})
#: What the others are.
NOT_RESTING = {
    "1.2.840.10008.5.1.4.1.1.9.1.3": "an ambulatory ECG of hours",
    "1.2.840.10008.5.1.4.1.1.9.2.1": "recorded in the catheter laboratory",
    "1.2.840.10008.5.1.4.1.1.9.3.1": "recorded inside the heart",
}
#: What an ECG without samples is.
WITHOUT_SAMPLES = {
    "1.2.840.10008.5.1.4.1.1.104.1": "a PDF document",
    "1.2.840.10008.5.1.4.1.1.7": "a picture (secondary capture)",
    "1.2.840.10008.5.1.4.1.1.7.4": "a picture (secondary capture)",
}

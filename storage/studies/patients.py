"""Whether two instances name the same patient; one rule, whichever of them came first.

They belong to one study already, so that it takes more than one slip of the pen to tell them apart;
and what one side leaves blank says nothing, so it never makes two patients of one:

1. Both have a Patient ID. Other IDs are other patients. The same ID by the same issuer is the same
   patient. The same ID by different issuers decides nothing (rule 2 does). Where one side or both
   name no issuer, the same ID is the same patient unless name and birth date both differ.
2. Else the patients are different where name or birth date differs and the other does not agree.

Names are compared as PS3.5 section 6.2 has PN: in the ideographic group where both have one, else
in the alphabetic, else in the phonetic one. Case, width, accents, padding, prefixes and suffixes do
not count; a given or middle name that one side lacks is no difference, and neither is a name that
was typed into one component.
"""

from dataclasses import dataclass, field

from storage.person_names import folded

#: Alphabetic, ideographic and phonetic group, and which of them says most about who it is.
_BY_WEIGHT = (1, 0, 2)
#: Family, given and middle name; prefix and suffix come and go.
_COMPONENTS = 3
_BIRTH_DATE_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whom an instance names, as its sender wrote it; empty: it does not say.

    Issuer of Patient ID (0010,0021), Patient's Name as PN, birth date as DA, sex as CS. The sex
    tells no two patients of one study apart.
    """

    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = field(default="", compare=False)


def are_same(one: Patient, other: Patient) -> bool:
    """Whether two instances of a study may be of one patient."""
    known = [_is_same_person(one.patient_name, other.patient_name), _is_same_birth(one, other)]
    if _plain(one.patient_id) and _plain(other.patient_id):
        if _plain(one.patient_id) != _plain(other.patient_id):
            return False
        issuers = _plain(one.issuer_of_patient_id), _plain(other.issuer_of_patient_id)
        if not all(issuers):
            return known != [False, False]
        if issuers[0] == issuers[1]:
            return True
    return True in known or False not in known


def share_cases(one: Patient, other: Patient) -> bool:
    """Whether two studies are so surely of one patient that one may be judged with the other.

    Both have the same Patient ID of the same issuer. Where only one of them names an issuer, both
    birth dates must be known. Neither birth date nor sex may contradict; sex O says nothing.
    """
    if not _plain(one.patient_id) or _plain(one.patient_id) != _plain(other.patient_id):
        return False
    same_birth = _is_same_birth(one, other)
    issuers = {_plain(one.issuer_of_patient_id), _plain(other.issuer_of_patient_id)}
    if len(issuers) > 1 and ("" not in issuers or same_birth is None):
        return False
    return same_birth is not False and {one.patient_sex, other.patient_sex} != {"M", "F"}


def _differ(one: str, other: str) -> bool:
    return bool(one and other and one != other)


def _plain(text: str) -> str:
    return text.strip(" \0")


def _is_same_birth(one: Patient, other: Patient) -> bool | None:
    """Whether two birth dates are the same; None where one is not known."""
    mine, theirs = _birth(one), _birth(other)
    return mine == theirs if mine and theirs else None


def _birth(patient: Patient) -> str:
    """The digits of the birth date; the old form with points (PS3.5 6.2, DA) has the same."""
    digits = "".join(each for each in patient.patient_birth_date if each in "0123456789")
    return digits if len(digits) == _BIRTH_DATE_DIGITS else ""


def _is_same_person(one: str, other: str) -> bool | None:
    """Whether two PN values name one person; None without a group that both have."""
    groups = _groups(one), _groups(other)
    for number in _BY_WEIGHT:
        mine, theirs = (group[number] for group in groups)
        if any(mine) and any(theirs):
            return _is_same_name(mine, theirs)
    return None


def _groups(name: str) -> list[list[str]]:
    """The words of each component of each group; three groups of three components."""
    groups = [group.split("^") for group in name.split("=")[:3]]
    groups += [[]] * (3 - len(groups))
    return [
        [folded(component) for component in (*group, "", "", "")[:_COMPONENTS]] for group in groups
    ]


def _is_same_name(one: list[str], other: list[str]) -> bool:
    if not any(_differ(mine, theirs) for mine, theirs in zip(one, other, strict=True)):
        return True
    return " ".join(one).split() == " ".join(other).split()

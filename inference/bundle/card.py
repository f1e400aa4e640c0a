"""The model card of a bundle: a page for those who must decide whether to use it.

It is made of the manifest alone, so that the same bundle has the same card; the evaluation on
another cohort writes the card again with a part about that cohort. Sections follow Mitchell et al.,
"Model cards for model reporting" (FAT* 2019), in the order that a clinic asks. Every sentence of
the manifest stands in it whole: an ordinary bundle's card is one sheet of A4, one with many limits
goes on to the next.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from inference.bundle.manifest import Description, Evaluated, LoopPreprocessing
from inference.bundle.targets import PresenceTarget, Target, ValueTarget
from inference.types import Standing

MODEL_CARD_FILE = "model_card.html"
#: Far above any card; it keeps a wrong file from being read into memory.
LARGEST_CARD_BYTES = 200_000

_NO_FIGURE = "-"
_UNITS = {"mm[Hg]": "mmHg", "[wood'U]": "Wood units"}
_STANDING = {
    Standing.PHANTOM: "PHANTOM: trained on synthetic studies. Not for patients.",
    Standing.UNTRAINED: "UNTRAINED: random weights. Not for patients.",
    Standing.RESEARCH: "RESEARCH USE ONLY. Not for clinical decisions.",
}
#: Figures of a target with their decimals, and what they are called.
_FIGURES = {"mae": 1, "bias": 1, "pcc": 2, "coverage": 2}
_HEADS = ("Mean error", "Bias", "Correlation", "Interval covers")
#: The same of a target that is present or not.
_PRESENCE = {"auroc": 2, "sensitivity": 2, "specificity": 2, "calibration_slope": 2}
_PRESENCE_HEADS = ("AUROC", "Sensitivity", "Specificity", "Calibration slope")
_VERDICTS = (("stated.ph", "PH"), ("stated.pre-capillary_ph", "pre-capillary PH"))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What the bundle reached on another cohort: a sentence on the cohort, head and rows."""

    about: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def model_card(bundle: Description, elsewhere: Elsewhere | None = None) -> str:
    """The card as one HTML file without others; equal descriptions give equal bytes."""
    body = "\n".join(
        f"<section><h2>{escape(title)}</h2>\n{content}</section>"
        for title, content in _sections(bundle, elsewhere)
        if content
    )
    title = escape(f"Model card: {bundle.name} {bundle.version}")
    return _PAGE.format(
        title=title,
        style=_STYLE,
        standing=escape(_STANDING[bundle.standing]),
        sub=escape(f"pipeline {bundle.pipeline}, packed {bundle.created_at:%Y-%m-%d}"),
        body=body,
    )


def _sections(bundle: Description, elsewhere: Elsewhere | None) -> Iterator[tuple[str, str]]:
    yield "What it is for", _paragraph(bundle.intended_use)
    yield "Who it was trained on", _trained_on(bundle)
    yield "How good it is", _performance(bundle)
    if elsewhere is not None:
        yield (
            "On another cohort, as shipped",
            _paragraph(elsewhere.about) + _table(elsewhere.head, elsewhere.rows),
        )
    yield "What it does not do", _list(_abstains(bundle))
    yield "Known limits", _list(bundle.limitations)
    yield "Licence", _paragraph(bundle.licence)


def _trained_on(bundle: Description) -> str:
    exams = ", ".join(f"{count} {split}" for split, count in bundle.cohort.exams.items())
    selection = bundle.preprocessing.selected
    told = f"{bundle.cohort.description}. {f'Exams: {exams}. ' if exams else ''}{selection}"
    population = list(bundle.cohort.population.items())
    return _paragraph(told) + _pairs(population)


def _performance(bundle: Description) -> str:
    if not bundle.evaluation:
        return _paragraph("No figures are known.")
    tested = bundle.cohort.exams.get("test")
    exams = f" ({tested} exams)" if tested else ""
    where = bundle.judged_on or f"the test split of its own cohort{exams}"
    return (
        _paragraph(
            f"On {where}, which it never saw, against the right heart catheter; in brackets the "
            "95 % interval. Elsewhere it may do worse: judge it there first (echonode evaluate)."
        )
        + _targets(bundle)
        + _list(_verdicts(bundle))
        + _list(item.sentence for item in bundle.withheld)
    )


def _targets(bundle: Description) -> str:
    """A table of the quantities, and one of what is present or not."""
    present = [each for each in bundle.targets if isinstance(each, PresenceTarget)]
    others = [each for each in bundle.targets if not isinstance(each, PresenceTarget)]
    rows = [
        [
            each.name.replace(".", ", "),
            *(_figure(bundle, f"{each.name}.{name}", size) for name, size in _PRESENCE.items()),
        ]
        for each in present
    ]
    tables = _table(["", *_HEADS], [_target(bundle, each) for each in others]) if others else ""
    return tables + (_table(["", *_PRESENCE_HEADS], rows) if rows else "")


def _target(bundle: Description, target: Target) -> list[str]:
    figures = [_figure(bundle, f"{target.name}.{name}", size) for name, size in _FIGURES.items()]
    if not isinstance(target, ValueTarget):
        return [target.name, *figures]
    if target.conformal is not None and figures[-1] != _NO_FIGURE:
        figures[-1] += f"; promised {target.conformal.coverage:.2f}"
    return [f"{target.name}, {_UNITS.get(target.unit, target.unit)}", *figures]


def _verdicts(bundle: Description) -> Iterator[str]:
    """How often reports state the truth; only where the evaluation knows it."""
    for key, name in _VERDICTS:
        if f"{key}.sensitivity" in bundle.evaluation:
            found, cleared, left = (
                _figure(bundle, f"{key}.{each}", 2)
                for each in ("sensitivity", "specificity", "undetermined")
            )
            yield (
                f"{name}: with it, reported as present {found}; without it, reported as absent "
                f"{cleared}; left undetermined {left}."
            )


def _abstains(bundle: Description) -> Iterator[str]:
    yield "It does not replace a right heart catheter, and it states no diagnosis by itself."
    whom = "adults" if bundle.population is None else f"patients {bundle.population} of age"
    loops = isinstance(bundle.preprocessing, LoopPreprocessing)
    inputs = "loops" if loops else "instances"
    yield f"It is for {whom}; {inputs} that the selection rules reject take no part."
    if loops:
        yield _unfamiliar(bundle)
    else:
        yield "It cannot tell patients unlike those it was trained on."
    if bundle.standing is Standing.RESEARCH:
        yield "Nobody has cleared it as a medical device."


def _unfamiliar(bundle: Description) -> str:
    limits = bundle.familiarity
    if limits is None:
        return (
            "It cannot tell loops unlike those it was trained on: its estimate may then be wrong."
        )
    return (
        "Loops unlike those it was trained on take no part; an exam with fewer than "
        f"{limits.least_share:.0%} of its loops familiar gets no estimate."
    )


def _figure(bundle: Description, key: str, decimals: int) -> str:
    found = bundle.evaluation.get(key)
    if found is None:
        return _NO_FIGURE
    if not isinstance(found, Evaluated):
        return f"{found:z.{decimals}f}"
    if found.low is None or found.high is None:
        return f"{found.value:z.{decimals}f}"
    low, high = f"{found.low:z.{decimals}f}", f"{found.high:z.{decimals}f}"
    return f"{found.value:z.{decimals}f} ({low} to {high})"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>\n"


def _list(items: Iterable[str]) -> str:
    points = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<ul>{points}</ul>\n" if points else ""


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd></div>" for a, b in pairs)
    return f"<dl>{cells}</dl>\n" if cells else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>\n"


_STYLE = """
@page { size: A4; margin: 10mm 14mm; }
:root { color-scheme: light; }
body { font: 9pt/1.3 system-ui, "Segoe UI", "Liberation Sans", sans-serif; color: #1d2733;
       max-width: 180mm; margin: 0 auto; }
h1 { font-size: 16pt; line-height: 1.2; margin: 0; }
h2 { font-size: 10.5pt; margin: 5pt 0 1pt; padding-top: 3pt; border-top: 1px solid #dfe4ea;
     break-after: avoid; }
li, tr { break-inside: avoid; }
.sub { color: #5b6673; margin: 0 0 6pt; }
.standing { background: #b23a48; color: #fff; padding: 5pt 8pt; border-radius: 3px; margin: 0;
            font-weight: 600; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
p { margin: 2pt 0; overflow-wrap: anywhere; }
ul { margin: 2pt 0; padding-left: 14pt; }
li { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
        margin: 3pt 0; font-size: 8.5pt; }
th, td { text-align: left; padding: 1.5pt 6pt 1.5pt 0; border-bottom: 1px solid #e8ecf0; }
thead th { border-bottom: 2px solid #c9d0d8; }
tbody th { font-weight: 500; }
dl { display: grid; grid-template-columns: 1fr 1fr; gap: 0 12pt; margin: 3pt 0; font-size: 8.5pt; }
dl div { display: flex; justify-content: space-between; border-bottom: 1px solid #e8ecf0; }
dt { color: #5b6673; }
dd { margin: 0; text-align: right; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<p class="sub">{sub}</p>
<p class="standing" role="alert">{standing}</p>
{body}
</body>
</html>
"""

"""The evaluation as files: one self-contained HTML, a PDF, and every figure as JSON."""

import base64
import io
import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure as Picture
from matplotlib.transforms import Bbox

from inference.training.evaluation import coverage_section, wording
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.metrics import Figure
from inference.training.evaluation.plots import RED, figures
from inference.training.evaluation.wording import Subject
from inference.training.output import write_whole

HTML, PDF, JSON = "report.html", "report.pdf", "figures.json"


def write_report(
    evaluation: Evaluation, subject: Subject, folder: Path, *, title: str = "How good is the model?"
) -> Path:
    """Write report.html, report.pdf and figures.json into `folder`; gives back the HTML's path.

    The HTML needs no other file and no network. The same evaluation gives the same bytes.
    """
    pictures = list(figures(evaluation))
    write_whole(folder / JSON, json.dumps(as_json(evaluation, subject), indent=2) + "\n")
    write_whole(folder / HTML, _html(evaluation, subject, title, pictures))
    write_whole(folder / PDF, _pdf(evaluation, subject, title, pictures))
    return folder / HTML


def flat_figures(evaluation: Evaluation) -> dict[str, float]:
    """The figures that a bundle carries, such as `mPAP.mae`, without intervals."""
    found = {
        f"{target}.{name}": each.value
        for target, result in evaluation.targets.items()
        for name, each in result.reported.items()
    }
    for table in evaluation.at_thresholds:
        key = table.condition.lower().replace(" ", "_")
        found |= {f"{key}.{name}": each.value for name, each in table.figures.items()}
    for stated in evaluation.verdicts.conditions:
        key = stated.condition.lower().replace(" ", "_")
        found |= {f"stated.{key}.{name}": each.value for name, each in stated.figures.items()}
    return {name: value for name, value in found.items() if value is not None}


def as_json(evaluation: Evaluation, subject: Subject) -> dict[str, Any]:
    """Everything but the rows of single exams and loops."""
    attention = evaluation.attention
    return {
        "subject": asdict(subject),
        "exams": dict(evaluation.exams),
        "patients": dict(evaluation.patients),
        "draws": evaluation.draws,
        "seed": evaluation.seed,
        "coverage": evaluation.coverage,
        "thresholds": evaluation.calibration.thresholds,
        "targets": {
            name: {"raw": _plain(result.raw), "reported": _plain(result.reported)}
            for name, result in evaluation.targets.items()
        },
        "at_limits": [asdict(table) for table in evaluation.at_limits],
        "at_thresholds": [asdict(table) for table in evaluation.at_thresholds],
        "verdicts": [asdict(item) for item in evaluation.verdicts.conditions],
        "classes": {
            "undetermined": evaluation.verdicts.undetermined_classes,
            "table": evaluation.verdicts.classes.to_dict("index"),
        },
        "subgroups": [asdict(item) for item in evaluation.subgroups],
        "improvements": [asdict(item) for item in evaluation.improvements],
        "coverage_groups": [asdict(item) for item in evaluation.coverage_groups],
        "probability_groups": [asdict(item) for item in evaluation.probability_groups],
        "baseline": None if evaluation.baseline is None else asdict(evaluation.baseline),
        "attention": None
        if attention is None
        else {
            "target": attention.target,
            "rank_correlation": attention.rank_correlation,
            "views": attention.views.to_dict("index"),
            "qualities": attention.qualities.to_dict("index"),
        },
    }


def _plain(found: Any) -> dict[str, Any]:
    return {name: asdict(each) for name, each in found.items() if isinstance(each, Figure)}


def _counts(evaluation: Evaluation) -> str:
    return (
        f"{evaluation.exams.get('test', 0)} test exams of "
        f"{evaluation.patients.get('test', 0)} patients"
    )


def _html(
    evaluation: Evaluation,
    subject: Subject,
    title: str,
    pictures: Sequence[tuple[str, str, Picture]],
) -> str:
    shown = {name: (caption, _svg(picture, name)) for name, caption, picture in pictures}

    def picture(prefix: str) -> Markup:
        return Markup("\n").join(
            _figure_element(caption, svg)
            for name, (caption, svg) in shown.items()
            if name.startswith(prefix)
        )

    environment = Environment(
        loader=PackageLoader("inference.training.evaluation", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title=title,
        subject=subject,
        counts=_counts(evaluation),
        warning=wording.WARNINGS[subject.standing],
        headline=list(wording.headline(evaluation)),
        caveats=list(wording.caveats(evaluation)),
        performance=wording.performance(evaluation),
        conditions=wording.conditions(evaluation),
        stated_tables=(
            (wording.STATED, wording.stated(evaluation)),
            (wording.CLASSES, wording.classes(evaluation)),
        ),
        baseline=wording.baseline(evaluation),
        subgroups=wording.subgroups(evaluation),
        attention=wording.attention(evaluation.attention),
        improvements=wording.improvements(evaluation),
        method=list(wording.method(evaluation, subject)),
        coverage=coverage_section.section(evaluation),
        draws=evaluation.draws,
        picture=picture,
    )


def _svg(picture: Picture, name: str) -> bytes:
    out = io.BytesIO()
    with rc_context({"svg.hashsalt": name, "font.family": "DejaVu Sans"}):
        picture.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _figure_element(caption: str, svg: bytes) -> Markup:
    """The picture as data of an image element: styles and ids of one never meet another's."""
    data = base64.b64encode(svg).decode("ascii")
    text = escape(caption)
    return Markup(
        '<figure><img alt="{}" src="data:image/svg+xml;base64,{}">'
        "<figcaption>{}</figcaption></figure>"
    ).format(text, data, text)


def _pdf(
    evaluation: Evaluation,
    subject: Subject,
    title: str,
    pictures: Sequence[tuple[str, str, Picture]],
) -> bytes:
    out = io.BytesIO()
    warning = wording.WARNINGS[subject.standing]["title"]
    steps = [["Step", "Target", "Figure", "Without", "With", "Difference"]]
    with PdfPages(out, metadata={"Title": title, "CreationDate": None}) as pages:
        pages.savefig(_first_page(evaluation, subject, title))
        for group in wording.performance(evaluation):
            rows = [["Figure", "As the paper does", "As the node reports"], *group["rows"]]
            pages.savefig(_table_page(group["title"], rows, warning))
        for _, caption, picture in pictures:
            picture.suptitle(textwrap.fill(caption, 130), fontsize=9)
            picture.supxlabel(warning, fontsize=9, color=RED)
            pages.savefig(picture)
        pages.savefig(_table_page(wording.STATED, wording.stated(evaluation), warning))
        pages.savefig(_table_page(wording.CLASSES, wording.classes(evaluation), warning))
        rows = steps + wording.improvements(evaluation)
        pages.savefig(_table_page("What each step beyond the paper changes", rows, warning))
    return out.getvalue()


def _first_page(evaluation: Evaluation, subject: Subject, title: str) -> Picture:
    page = Picture(figsize=(8.27, 11.69))
    warning = wording.WARNINGS[subject.standing]
    page.text(0.1, 0.93, title, fontsize=18, weight="bold")
    page.text(
        0.1, 0.905, f"{subject.name} {subject.version} - {_counts(evaluation)}", color="#5b6673"
    )
    page.text(0.1, 0.87, warning["title"], fontsize=12, color=RED, weight="bold")
    paragraphs = [warning["text"], *wording.headline(evaluation), "What to keep in mind:"]
    paragraphs += [f"- {each}" for each in wording.caveats(evaluation)]
    paragraphs += [f"- {each}" for each in wording.method(evaluation, subject)]
    page.text(
        0.1,
        0.85,
        "\n\n".join(textwrap.fill(each, 88) for each in paragraphs),
        va="top",
        fontsize=10,
    )
    return page


def _table_page(title: str, rows: Sequence[Sequence[str]], warning: str) -> Picture:
    height = 1.4 + 0.24 * len(rows)
    page = Picture(figsize=(10, height))
    page.text(0.05, 1 - 0.45 / height, title, fontsize=12, weight="bold")
    page.text(0.5, 0.2 / height, warning, fontsize=9, color=RED, ha="center")
    axis = page.add_axes((0.05, 0.5 / height, 0.9, 1 - 1.2 / height))
    axis.axis("off")
    table = axis.table([list(row) for row in rows], bbox=Bbox.unit(), cellLoc="left")
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    for place, cell in table.get_celld().items():
        cell.set_linewidth(0)
        if place[0] == 0:
            cell.set_text_props(weight="bold")
    return page

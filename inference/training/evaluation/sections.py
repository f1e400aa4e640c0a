"""The report's own sections, in the order in which they are read."""

from dataclasses import asdict
from typing import Any

from inference.training.evaluation import plots
from inference.training.evaluation.attention import Attention
from inference.training.evaluation.conditions import CONDITIONS, SUBGROUPS, wording
from inference.training.evaluation.evaluating import Evaluation, TargetResult
from inference.training.evaluation.metrics import Figure
from inference.training.evaluation.section import Drawing, Section, Subject, Table
from inference.training.evaluation.wording import NAMES, NO_FIGURE, unit
from inference.types import Presence


def performance(evaluation: Evaluation, _: Subject) -> Section:
    """Per target: figure, as the paper does, as the node reports."""
    results = evaluation.targets
    return Section(
        "Figures",
        [_PERFORMANCE],
        [_performance(name, result) for name, result in results.items()],
        figures={
            "targets": {
                name: {"raw": _plain(result.raw), "reported": _plain(result.reported)}
                for name, result in results.items()
            }
        },
    )


def agreement(evaluation: Evaluation, _: Subject) -> Section:
    """Estimates against the catheter, in pictures."""
    return Section(
        "Agreement with the catheter",
        parts=[
            Drawing(f"agreement_{name}", f"{name}: {plots.AGREEMENT}", plots.agreement(result))
            for name, result in evaluation.targets.items()
        ],
    )


def calibration(evaluation: Evaluation, _: Subject) -> Section:
    """Estimates and intervals against the catheter, in pictures."""
    shown = plots.CALIBRATION.format(coverage=100 * evaluation.coverage)
    return Section(
        "Can an estimate and its interval be taken at their word?",
        parts=[
            Drawing(f"calibration_{name}", f"{name}: {shown}", plots.calibration(result))
            for name, result in evaluation.targets.items()
        ],
    )


def detection(evaluation: Evaluation, _: Subject) -> Section:
    """ROC, reliability and the conditions, forced to one side."""
    rows = []
    for limit, threshold in zip(evaluation.at_limits, evaluation.at_thresholds, strict=True):
        for table, at in ((limit, "guideline limits"), (threshold, "validation thresholds")):
            title = f"{table.condition} ({wording(CONDITIONS[table.condition])})"
            shown = [table.figures[key].show() for key in _DECISIONS]
            rows.append([title, at, *shown])
    head = ["Condition", "Decided at", *(NAMES[key] for key in _DECISIONS)]
    parts: list[Table | Drawing] = [
        Drawing("detection", plots.DETECTION, plots.detection(evaluation))
    ]
    if rows:
        confusion = Drawing("confusion", plots.CONFUSION, plots.confusion(evaluation))
        parts += [Table(head, rows), confusion]
    return Section(
        "Finding pulmonary hypertension",
        parts=parts,
        figures={
            "at_limits": [asdict(table) for table in evaluation.at_limits],
            "at_thresholds": [asdict(table) for table in evaluation.at_thresholds],
        },
    )


def verdicts(evaluation: Evaluation, _: Subject) -> Section:
    """What reports state, the undetermined included."""
    head = ["Condition", "By the catheter", "Present", "Absent", "Undetermined", "Figure"]
    rows = []
    for item in evaluation.verdicts.conditions:
        for side, figure in (("with", "sensitivity"), ("without", "specificity")):
            said = [str(item.counts[side][presence.value]) for presence in Presence]
            shown = f"{NAMES[figure]} {item.figures[figure].show()}"
            rows.append([item.condition, side, *said, shown])
    table = evaluation.verdicts.classes
    columns = ["By the catheter", *(_short(str(name)) for name in table.columns)]
    counts = [[str(name), *map(str, row)] for name, row in table.iterrows()]
    return Section(
        "Reported verdicts",
        parts=[Table(head, rows, _STATED), Table(columns, counts, _CLASSES)],
        figures={
            "verdicts": [asdict(item) for item in evaluation.verdicts.conditions],
            "classes": {
                "undetermined": evaluation.verdicts.undetermined_classes,
                "table": table.to_dict("index"),
            },
        },
    )


def subgroups(evaluation: Evaluation, _: Subject) -> Section:
    """Per subgroup and target: exams, bias, MAE and PCC (the paper's Table 6)."""
    rows = [
        [
            f"{item.subgroup} ({wording(SUBGROUPS[item.subgroup])})",
            item.target,
            str(item.exams),
            item.figures["bias"].show(1),
            item.figures["mae"].show(1),
            item.figures["pcc"].show(),
        ]
        for item in evaluation.subgroups
    ]
    return Section(
        "Subgroups",
        ["Groups by the catheter's values; errors of the reported estimates."],
        [
            Drawing("subgroups", plots.SUBGROUPS, plots.subgroups(evaluation)),
            Table(["Group", "Target", "Exams", "Bias", "MAE", "PCC"], rows),
        ],
        figures={"subgroups": [asdict(item) for item in evaluation.subgroups]},
    )


def attention(evaluation: Evaluation, _: Subject) -> Section | None:
    """Attention by view and quality."""
    found = evaluation.attention
    if found is None:
        return None
    known = NO_FIGURE if found.rank_correlation is None else f"{found.rank_correlation:.2f}"
    text = (
        f"For {found.target}, over {len(found.loops)} loops. Attention and the change without the "
        f"loop agree with a rank correlation of {known} (1: the same order, 0: none)."
    )
    return Section(
        "What the model looks at",
        [text],
        [
            Drawing("attention", plots.ATTENTION, plots.attention(found)),
            *_groups(found),
        ],
        figures={
            "attention": {
                "target": found.target,
                "rank_correlation": found.rank_correlation,
                "views": found.views.to_dict("index"),
                "qualities": found.qualities.to_dict("index"),
            }
        },
    )


def improvements(evaluation: Evaluation, _: Subject) -> Section:
    """Per step, target and figure: without, with, difference."""
    rows = [
        [
            item.step,
            item.target,
            item.name,
            NO_FIGURE if item.before is None else item.before.show(),
            item.after.show(),
            NO_FIGURE if item.difference is None else item.difference.show(),
        ]
        for item in evaluation.improvements
    ]
    return Section(
        "What each step beyond the paper changes",
        [_IMPROVEMENTS],
        [Table(["Step", "Target", "Figure", "Without", "With", "Difference"], rows)],
        figures={"improvements": [asdict(item) for item in evaluation.improvements]},
    )


_DECISIONS = ("sensitivity", "specificity", "accuracy")
_PERFORMANCE = (
    "On the test split; in brackets the 95 % interval. “As the paper does”: the network's own "
    "estimate, decided at the guideline's limit. “As the node reports”: recalibrated and decided "
    "at the threshold chosen on the validation split."
)
_IMPROVEMENTS = (
    "Each step is fitted on the validation split and measured here on the test split, on the same "
    "draws."
)
_STATED = "Reported verdicts (undetermined exams count against sensitivity and specificity)"
_CLASSES = "Haemodynamic class by catheter (rows) and by report (columns), number of exams"


def _performance(target: str, result: TargetResult) -> Table:
    rows = []
    for key in NAMES:
        if key in result.reported:
            raw = result.raw.get(key)
            paper = NO_FIGURE if raw is None else raw.show()
            rows.append([NAMES[key], paper, result.reported[key].show()])
    return Table(
        ["Figure", "As the paper does", "As the node reports"],
        rows,
        f"{target} ({unit(target)}): {len(result.exams)} exams; decided above "
        f"{result.limit:g} by the guideline, above {result.threshold:.1f} by validation",
    )


def _plain(found: Any) -> dict[str, Any]:
    return {name: asdict(each) for name, each in found.items() if isinstance(each, Figure)}


def _groups(found: Attention) -> list[Table]:
    tables = []
    for column, table in (("view", found.views), ("quality", found.qualities)):
        rows = [
            [
                str(name),
                f"{row['loops']:.0f}",
                f"{row['relative']:.2f}",
                f"{row['change']:.2f}",
                f"{row['top']:.0f} exams",
                f"{row['bottom']:.0f} exams",
            ]
            for name, row in table.iterrows()
        ]
        change = f"Change without, {unit(found.target)}"
        head = [column.capitalize(), "Loops", "Attention", change, "Highest in", "Lowest in"]
        caption = f"By {column}: attention times loops of the exam (1 is an equal share)"
        if rows:
            tables.append(Table(head, rows, caption))
    return tables


def _short(name: str) -> str:
    """A class as the head of a column."""
    return name.replace("pulmonary hypertension", "PH")

"""The other windows: the inferior vena cava from below, the aortic arch from above."""

import numpy as np

from inference.phantom.anatomy import Anatomy
from inference.phantom.canvas import (
    BLOOD_DB,
    LIVER_DB,
    MYOCARDIUM_DB,
    PERICARDIUM_DB,
    TISSUE_DB,
    WALL_DB,
    Canvas,
    ellipse,
    segment,
    turned,
)
from inference.phantom.rhythm import Moment


def subcostal(canvas: Canvas, heart: Anatomy, now: Moment) -> None:
    """Paint the vena cava through the liver into the right atrium; it narrows on inspiration."""
    body = heart.body
    x, z = turned(canvas.x, canvas.z, (0.0, 6.4 * body), np.deg2rad(7))
    width = heart.ivc_cm * (1 - heart.ivc_collapse * now.inspiration) * body
    width *= 1 + 0.04 * now.contraction
    atrium_size = heart.ra_cm * body * (1 + 0.1 * now.contraction)
    mouth = 3.4 * body

    canvas.fill(np.float32(0.3) - canvas.z, LIVER_DB)
    canvas.level_db[:] = LIVER_DB
    for branch, (start, end) in enumerate(
        (((-0.6, -0.3), (-3.6, -3.4)), ((1.4, -0.2), (0.4, -3.0)))
    ):
        vein = segment(x, z, (start[0] * body, start[1]), (end[0] * body, end[1] * body))
        canvas.fill(vein - (0.30 - 0.06 * branch) * body, BLOOD_DB, 0.12)
    portal = ellipse(x, z, (-4.3 * body, -1.7 * body), (0.65 * body, 0.42 * body))
    canvas.chamber(portal, portal - 0.14, LIVER_DB + 9)

    flare = np.float32(0.35) * np.clip((x - mouth + 1.0) / 1.5, 0, 1) ** 2
    waist = 1 + 0.06 * np.cos(1.1 * x)
    vein = np.abs(z) - width / 2 * waist - flare
    canvas.fill(np.maximum(vein - 0.14, x - mouth - 0.6), LIVER_DB + 5)
    diaphragm = ellipse(x, z, (mouth + 3.4 * body, -0.4), (4.0 * body, 5.6 * body))
    canvas.fill(diaphragm, MYOCARDIUM_DB - 6)
    canvas.reflect(diaphragm, PERICARDIUM_DB - 3, 0.15)
    atrium = ellipse(
        x, z, (mouth + atrium_size * 0.55, 0.15 * body), (atrium_size * 0.58, atrium_size / 2)
    )
    canvas.chamber(atrium, atrium - 0.25, WALL_DB)
    ventricle = ellipse(x, z, (mouth + 3.2 * body, -3.6 * body), (2.3 * body, 1.5 * body))
    canvas.chamber(ventricle, ventricle - 0.35, MYOCARDIUM_DB)
    canvas.fill(np.maximum(vein, x - mouth - 0.6), BLOOD_DB)
    canvas.reflect(vein, LIVER_DB + 15, 0.08, where=x < mouth + 0.3)
    behind = np.asarray(4.0 * body - z - 0.04 * x * x, np.float32)
    canvas.fill(behind + 0.4, TISSUE_DB, 0.7)
    canvas.reflect(behind, PERICARDIUM_DB - 6, 0.3, where=x < mouth)


def suprasternal(canvas: Canvas, heart: Anatomy, now: Moment) -> None:
    """Paint the aortic arch with its branches; nothing in it depends on the labels."""
    body = heart.body
    lumen = 1.15 * body * (1 + 0.05 * now.contraction)
    arch_z, arch = 7.6 * body, 3.2 * body
    ring = np.abs(ellipse(canvas.x, canvas.z, (0.0, arch_z), (arch * 1.2, arch))) - lumen
    ring = np.maximum(ring, canvas.z - arch_z)
    side = 1.2 * arch
    ascending = segment(canvas.x, canvas.z, (-side, arch_z), (-0.8 * side, arch_z + 2.4 * body))
    descending = segment(canvas.x, canvas.z, (side, arch_z), (0.85 * side, arch_z + 9 * body))
    aorta = np.minimum(ring, np.minimum(ascending, descending) - lumen)
    canvas.fill(aorta - 0.2, WALL_DB)
    for start, end in ((-1.9, -2.2), (-0.3, -0.2), (1.3, 1.7)):
        top = (end * body, arch_z - arch - 3.4 * body)
        branch = segment(canvas.x, canvas.z, (start * body, arch_z - arch), top)
        canvas.fill(branch - 0.42 * body, WALL_DB)
        canvas.fill(branch - 0.28 * body, BLOOD_DB)
    canvas.fill(aorta, BLOOD_DB)
    canvas.reflect(aorta, WALL_DB + 16, 0.1)
    pulmonary = ellipse(canvas.x, canvas.z, (0.2 * body, 8.0 * body), (1.15 * body, 0.95 * body))
    canvas.chamber(pulmonary, pulmonary - 0.18, WALL_DB + 2)

"""Words that header texts are searched for, in the languages that carts are set to.

A word that ends in `*` matches every word that begins with it. Letters are compared without case
and accents, so "Schilddrüse" and "SCHILDDRUSE" are one word.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

_LONGEST_QUOTE = 24


@lru_cache(1024)  # each text is searched for several meanings
def plain(text: str) -> str:
    """Lower case without accents, words separated by single blanks."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return re.sub(r"[\W_]+", " ", letters).strip()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words of one meaning, separated by commas; several words in a row are one entry."""

    entries: str
    _pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        alternatives = "|".join(_expression(entry) for entry in self.entries.split(","))
        object.__setattr__(self, "_pattern", re.compile(alternatives))

    def find(self, text: str) -> str:
        """The first of these words in a text, at most 24 letters of it; empty without any."""
        found = self._pattern.search(plain(text))
        return found.group()[:_LONGEST_QUOTE] if found else ""

    def without(self, text: str) -> str:
        """The text in plain letters without these words."""
        return self._pattern.sub(" ", plain(text))


def _expression(entry: str) -> str:
    word = plain(entry)
    if not word.isascii() and not word[0].isascii() and ord(word[0]) > 0x2E7F:
        return re.escape(word)  # Chinese and Japanese do not separate words
    ending = r"\w*" if entry.strip().endswith("*") else r"\b"
    return rf"\b{re.escape(word)}{ending}"


#: An examination of the heart, or a view of it.
HEART = Vocabulary(
    """
    tte, ett, heart, cardiac*, card, echocardi*, echokardi*, ecocardi*, ekokardi*, ekkokardi*,
    echocg, ukg, transthora*, transtora*, herz*, coeur, cardiaque*, corazon, cuore, hartecho*,
    echo hart, hjart*, hjerte*, sydan*, serce, serca, kalp, plax, psax, a2c, a3c, a4c, a5c,
    parasternal*, mitral*, tricuspid*, эхокг*, эхокардио*, сердц*, 心臓, 心脏, 心臟, 心エコー,
    超声心动
    """
)
#: Mostly the heart, but the plain word for ultrasound in some languages.
ECHO = Vocabulary("echo, eko, cardio*, kardio*, epicardial")
#: An unborn child, whose heart no model of adults may judge.
FOETUS = Vocabulary("fetal*, foetal*, fetus*, foetus*, feto*, embryo*, плод*, 胎児, 胎儿")
#: Other parts of the body. Words that name a part of the heart's surroundings as well are left out.
ELSEWHERE = Vocabulary(
    """
    thyroid*, thyreo*, tiroid*, schilddrus*, schilddrues*, tarczyc*, parathyroid*, breast*,
    mamma, mammae, mammary, mammo*, brust, seins, obstet*, ob, obgyn, gyn*, pregnan*,
    schwanger*, grossesse, embarazo, gravid*, geburt*, nuchal*, uter*, ovar*, pelvi*, becken*,
    endovag*, transvag*, endorect*, transrect*, endocav*, abdom*, addome, bauch*, oberbauch*,
    ventre, liver, leber*, foie, higado, fegato, hepat*, gallbladder, gallenblase, biliar*,
    pancrea*, pankrea*, spleen, milz, retroperiton*, kidney*, renal*, niere*, reins, rinon*,
    bladder, harnblase, vessie, appendi*, bowel, darm*, prostat*, testis, testes, testic*,
    hoden*, scrot*, skrot*, carotid*, karotis, carotis, carotide*, vascular, vasc, duplex,
    peripheral*, dvt, ivus, extremit*, limb, limbs, shoulder*, schulter*, epaule*, hombro*,
    elbow*, ellbogen*, ellenbogen*, coude, codo, wrist*, handgelenk*, knee*, knie, genou*,
    hip, hufte*, huefte*, hanche, ankle*, foot, tendon*, sehne*, musculosk*, muskulosk*,
    osteoart*, msk, mskel, mscskel, small parts, small part, soft tissue, weichteil*, skin,
    lymph*, neck, hals, cuello, groin, inguinal*, hernia*, popliteal*, penile, penis, rodilla,
    sprunggelenk*, fussgelenk*, mama, mamas, obst,
    salivar*, parotis, parotid*, lung, lungs, lunge*, pleura*, brain,
    cranial, transcranial, tcd, head, hirn*, schadel*, ophthalm*, eye, eyes, auge, spine,
    spinal, nerve, nerves, nerven, щитовид*, молочн*, брюшн*, печен*, почк*, 甲状腺, 乳腺, 腹部,
    肝, 腎, 頸動脈, 颈动脈, 产科, 産科
    """
)
#: The same where an attribute holds nothing but a part of the body (PS3.16 annex L).
BODY_PART = Vocabulary(
    """
    hand, finger*, thumb, toe, toes, arm, forearm, upper arm, leg, lower leg, thigh, calf, heel,
    heels, skull, jaw*, mandible, clavicle, scapula, humerus, femur, tibia*, fibula, face, orbit*,
    nose, ear, ears, tongue, larynx, anus, rectum, perineum, penis, buttock*, scalp
    """
)
#: The heart at work, or what makes it work.
STRESS = Vocabulary(
    """
    stress*, dse, exercise*, exer, postexercise*, post ex, treadmill*, bicycle, bike, ergomet*,
    fahrrad*, belastung*, dobutamin*, dobu, dipyridamol*, adenosin*, regadenoson*, persantin*,
    effort, esfuerzo, sforzo, inspanning*, ese, ecostress*,
    ecoestres*, echostress*, ekostress*, estres, esfuerzos,
    low dose, high dose, mid dose, peak dose, стресс*,
    нагруз*, 負荷, 负荷
    """
)
#: A stage of a stress examination, where an attribute holds nothing but stages.
STAGE = Vocabulary(
    """
    peak*, pico, picco, pic, spitze, recov*, recup*, erholung*, post, impost, imm*, impex, max*,
    low, mid, high, dose, mcg*, ug*, µg*, atropin*, watt*, w, viab*
    """
)
#: The stage of a stress echo before any stress.
REST = Vocabulary(
    """
    pre exercise*, preexercise*, pre stress*, prestress*, pre dobutamin*, vor belastung*,
    baseline*, rest, resting, at rest, pre, ruhe, repos, reposo, riposo, base, basal*
    """
)
#: A contrast agent in the blood.
CONTRAST = Vocabulary(
    """
    contrast*, kontrast*, definity*, luminity*, sonovue*, lumason*, optison*, perflutren*,
    sonazoid*, levovist*, imagify*, lvo, ceus, bubble*, agitated saline, opacif*, контраст*,
    造影
    """
)
#: What is said of contrast where there may be none.
WITHOUT_CONTRAST = Vocabulary(
    """
    with or without contrast*, w or w o contrast*, w wo contrast*, w w o contrast*,
    wwo contrast*, without contrast*, w o contrast*, wo contrast*, no contrast*, non contrast*,
    noncontrast*, ohne kontrast*, kein kontrast*, sans contraste*, sin contraste*,
    senza contrasto, if needed
    """
)
#: A probe on the chest, which may be named beside one within the body.
TRANSTHORACIC = Vocabulary("tte, ett, transthora*, transtora*")
#: A probe within the body.
INTERNAL = Vocabulary(
    """
    tee, toe, eto, ete, ice, transesoph*, transoesoph*, transosoph*, transesof*, transoesof*,
    esophag*,
    oesophag*, osophag*, midesophag*, midoesophag*, transgastric*, intracardiac*,
    intravascular*, intrakardial*, ivus, чреспищевод*, 経食道, 经食管
    """
)

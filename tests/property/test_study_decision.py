"""When a study is complete, for all evidence there can be and however it comes."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dicom_node.study.decision import Decision, Rules, decide, due_by_associations
from storage.states import DueReason, Ending, StudyState
from storage.studies.completeness import SETTLING, Carrier, Evidence

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
QUIET_S, RELEASE_QUIET_S, ABORT_QUIET_S, HARD_LIMIT_S = 60.0, 3.0, 300.0, 3600.0
RULES = Rules(
    release_quiet_s=RELEASE_QUIET_S,
    abort_quiet_s=ABORT_QUIET_S,
    hard_limit_s=HARD_LIMIT_S,
    archive_patience_s=10.0,
)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


HARD_LIMIT = after(HARD_LIMIT_S)
MOMENTS = st.integers(0, int(HARD_LIMIT_S) + 600).map(after)


@st.composite
def carriers(draw: st.DrawFn) -> Carrier:
    """One that brought something before its end."""
    opened_s, first_s, last_s = sorted(draw(st.integers(0, int(HARD_LIMIT_S))) for _ in range(3))
    is_open, heard_s = draw(st.booleans()), draw(st.none() | st.integers(0, 100))
    ended_s = last_s + draw(st.integers(0, 100))
    return Carrier(
        quiet_s=draw(st.sampled_from([20.0, QUIET_S])),
        opened_at=after(opened_s),
        first_at=after(first_s),
        last_at=after(last_s),
        last_of_any_at=after(last_s + draw(st.sampled_from([0, 10, 100]))),
        heard_at=None if heard_s is None else after(min(last_s + heard_s, ended_s)),
        closed_at=None if is_open else after(ended_s),
        ending=None if is_open else draw(st.sampled_from(Ending)),
    )


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Of a study that is received; its hard limit is an hour after noon."""
    brought = draw(st.lists(carriers(), min_size=1, max_size=3))
    announced = draw(st.integers(0, 5))
    return Evidence(
        study_id=1,
        state=StudyState.RECEIVING,
        instances=draw(st.integers(1, 9)),
        revision_began_at=NOON,
        last_received_at=max(carrier.last_at for carrier in brought),
        carriers=tuple(brought),
        in_progress=draw(st.integers(0, 2)),
        announced=announced,
        concluded=draw(st.integers(0, announced)),
        announced_at=draw(st.none() | MOMENTS),
        missing=draw(st.integers(0, 5)),
        given_up=draw(st.integers(0, 5)),
        archive_asked_at=draw(st.none() | MOMENTS),
        archive_instances=draw(st.none() | st.integers(0, 9)),
        held=draw(st.booleans()),
    )


def due_at(evidence: Evidence) -> datetime:
    return due_by_associations(evidence, RULES)[0]


@given(evidence=evidences())
def test_associations_make_a_study_due_after_what_they_brought_and_within_its_limit(
    evidence: Evidence,
) -> None:
    at, reason = due_by_associations(evidence, RULES)
    soonest = evidence.last_received_at + timedelta(seconds=RELEASE_QUIET_S)
    assert min(soonest, HARD_LIMIT) <= at <= HARD_LIMIT
    assert (reason is DueReason.HARD_LIMIT) <= (at == HARD_LIMIT)
    if evidence.sending or evidence.broken:
        assert reason is not DueReason.ASSOCIATION_RELEASED


@given(evidence=evidences(), extra=carriers())
def test_another_association_never_makes_a_study_due_before_its_own_quiet_period(
    evidence: Evidence, extra: Carrier
) -> None:
    still_open = replace(extra, closed_at=None, ending=None)
    more = replace(evidence, carriers=(*evidence.carriers, still_open))
    quiet_at = extra.last_at + timedelta(seconds=extra.quiet_s)
    assert due_at(more) >= min(quiet_at, HARD_LIMIT)


@given(evidence=evidences(), now=MOMENTS)
def test_a_held_study_waits(evidence: Evidence, now: datetime) -> None:
    decision = decide(replace(evidence, held=True), RULES, now)
    assert decision.reason is None
    assert decision.look_at is not None
    assert decision.look_at > now


@given(evidence=evidences(), now=MOMENTS)
def test_the_hard_limit_ends_every_other_wait(evidence: Evidence, now: datetime) -> None:
    decision = decide(replace(evidence, held=False), RULES, now)
    if now >= HARD_LIMIT:
        assert decision.reason is DueReason.HARD_LIMIT
        assert decision.alarms == (evidence.missing > evidence.given_up)
    elif decision.reason is None:
        assert decision.look_at is not None
        assert now < decision.look_at <= max(HARD_LIMIT, now + timedelta(seconds=1))
    else:
        assert not decision.alarms


@given(evidence=evidences(), now=MOMENTS)
def test_what_is_missing_or_going_on_is_waited_for(evidence: Evidence, now: datetime) -> None:
    assume(evidence.missing > evidence.given_up or evidence.in_progress)
    if decide(evidence, RULES, now).reason is not None:
        assert now >= HARD_LIMIT


@given(evidence=evidences(), now=MOMENTS)
def test_nothing_shortens_the_wait_but_all_being_here(evidence: Evidence, now: datetime) -> None:
    decision = decide(evidence, RULES, now)
    if decision.reason is DueReason.ALL_EXPECTED:
        assert not evidence.missing
        assert evidence.announced or (evidence.archive_instances or 0) >= evidence.instances
        assert now >= evidence.last_received_at + timedelta(seconds=RELEASE_QUIET_S) or (
            now >= HARD_LIMIT
        )
    elif decision.reason is not None:
        assert now >= due_at(evidence)


@given(evidence=evidences(), now=MOMENTS)
def test_a_break_only_lengthens(evidence: Evidence, now: datetime) -> None:
    def ending(how: Ending) -> Evidence:
        changed = (
            carrier if carrier.closed_at is None else replace(carrier, ending=how)
            for carrier in evidence.carriers
        )
        return replace(evidence, carriers=tuple(changed))

    broken, whole = ending(Ending.ABORTED), ending(Ending.RELEASED)
    assert due_at(broken) >= due_at(whole)
    decision = decide(broken, RULES, now)
    assert decision.reason is None or decide(whole, RULES, now).reason is not None
    if decision.reason is DueReason.ASSOCIATION_BROKEN:
        retried_by = evidence.last_received_at + timedelta(seconds=ABORT_QUIET_S)
        assert now >= min(retried_by, HARD_LIMIT)


@given(evidence=evidences(), now=MOMENTS)
def test_an_archive_that_does_not_know_changes_nothing(evidence: Evidence, now: datetime) -> None:
    unasked = replace(evidence, archive_asked_at=None, archive_instances=None)
    ignorant = replace(unasked, archive_asked_at=max(now, evidence.last_received_at))
    none_configured = replace(RULES, archive_patience_s=0.0)
    assert decide(ignorant, RULES, now) == decide(unasked, none_configured, now)


@given(evidence=evidences(), now=MOMENTS)
def test_of_a_complete_study_only_new_announcements_matter(
    evidence: Evidence, now: datetime
) -> None:
    complete = replace(evidence, state=StudyState.COMPLETE)
    decision = decide(complete, RULES, now)
    assert decision.reason is None
    if evidence.missing <= evidence.given_up:
        assert decision == Decision()
    else:
        said_at = evidence.announced_at or evidence.last_received_at
        assert decision.alarms == (now >= said_at + timedelta(seconds=HARD_LIMIT_S))


@dataclass
class Study:
    """One study as the cart sends it; everything in seconds after noon."""

    last_s: float = 0.0
    began_s: float = 0.0
    carriers: list[Carrier] = field(default_factory=lambda: [carrier(0.0)])
    here: set[int] = field(default_factory=lambda: {0})
    named: set[int] = field(default_factory=set)
    state: StudyState = StudyState.RECEIVING
    step: str = "none"
    held: bool = False
    given_up: int = 0
    look_s: float | None = 1.0

    @property
    def sending(self) -> bool:
        return any(one.closed_at is None for one in self.carriers)


def carrier(at_s: float) -> Carrier:
    at = after(at_s)
    return Carrier(quiet_s=QUIET_S, opened_at=at, first_at=at, last_at=at, last_of_any_at=at)


class CartAndClock(RuleBasedStateMachine):
    """A cart sends and announces, the clock looks when it is to; nothing is forgotten for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.study = Study()
        self.completed: list[tuple[DueReason, int]] = []

    @rule(seconds=st.sampled_from([0.5, 3.0, 10.0, 61.0, 301.0, 1800.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.look()

    @rule(number=st.integers(0, 4))
    def instance(self, number: int) -> None:
        study = self.study
        if number in study.here:
            return
        study.here.add(number)
        study.last_s = self.now_s
        if study.state is StudyState.COMPLETE:
            study.state, study.began_s = StudyState.RECEIVING, self.now_s
            study.look_s = self.now_s + SETTLING.total_seconds()
        if number in study.named:
            study.look_s = self.now_s + SETTLING.total_seconds()
        if not study.sending:
            study.carriers.append(carrier(self.now_s))
        now = after(self.now_s)
        study.carriers[-1] = replace(study.carriers[-1], last_at=now, last_of_any_at=now)

    @precondition(lambda self: self.study.sending)
    @rule(how=st.sampled_from([Ending.RELEASED, Ending.ABORTED]))
    def end(self, how: Ending) -> None:
        study, now = self.study, after(self.now_s)
        study.carriers[-1] = replace(study.carriers[-1], closed_at=now, ending=how)
        if study.state is StudyState.RECEIVING:
            study.look_s = self.now_s + SETTLING.total_seconds()

    @precondition(lambda self: self.study.step == "none")
    @rule()
    def begin(self) -> None:
        self.study.step, self.study.look_s = "in progress", self.now_s

    @precondition(lambda self: self.study.step == "in progress")
    @rule(named=st.sets(st.integers(0, 4), max_size=5))
    def conclude(self, named: set[int]) -> None:
        self.study.step, self.study.look_s, self.study.named = "ended", self.now_s, named
        self.announced_s = self.now_s

    @rule()
    def hold_or_release(self) -> None:
        self.study.held = not self.study.held
        self.study.look_s = self.now_s

    @property
    def missing(self) -> int:
        return len(self.study.named - self.study.here)

    def look(self) -> None:
        """What the clock does at each of its ticks."""
        study = self.study
        if study.look_s is None or study.look_s > self.now_s:
            return
        decision = decide(self.evidence(), replace(RULES, archive_patience_s=0), after(self.now_s))
        if decision.alarms:
            study.given_up = self.missing
        study.given_up = min(study.given_up, self.missing)
        study.look_s = None
        if decision.reason is not None:
            self.completed.append((decision.reason, self.missing))
            study.state = StudyState.COMPLETE
        elif decision.look_at is not None:
            study.look_s = (decision.look_at - NOON).total_seconds()

    def evidence(self) -> Evidence:
        study = self.study
        began_at = after(study.began_s)
        return Evidence(
            study_id=1,
            state=study.state,
            instances=len(study.here),
            revision_began_at=began_at,
            last_received_at=after(study.last_s),
            carriers=tuple(
                one for one in study.carriers if one.closed_at is None or one.closed_at >= began_at
            ),
            in_progress=int(study.step == "in progress"),
            announced=len(study.named),
            concluded=len(study.named) if study.step == "ended" else 0,
            announced_at=after(self.announced_s) if study.step == "ended" else None,
            missing=self.missing,
            given_up=study.given_up,
            held=study.held,
        )

    @invariant()
    def no_study_waits_beyond_its_hard_limit_unless_it_is_held(self) -> None:
        study = self.study
        if study.held or study.state is StudyState.COMPLETE:
            return
        assert study.look_s is not None
        assert study.look_s <= max(study.began_s + HARD_LIMIT_S, self.now_s + 1)

    @invariant()
    def who_was_told_to_wait_for_all_got_all_or_an_alarm(self) -> None:
        for reason, missing in self.completed:
            if reason is DueReason.ALL_EXPECTED:
                assert missing == 0

    def teardown(self) -> None:
        """In the end, once nobody holds it, the study is complete, and what it lacks is told."""
        self.study.held = False
        self.study.look_s = self.now_s
        for _ in range(4):
            self.now_s += HARD_LIMIT_S + 1
            self.look()
        assert self.study.state is StudyState.COMPLETE
        assert self.study.given_up == self.missing
        assert self.study.look_s is None


TestCartAndClock = CartAndClock.TestCase
TestCartAndClock.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)

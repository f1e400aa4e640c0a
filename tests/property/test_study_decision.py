"""When a study is complete, for all evidence there can be and however it comes."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dicom_node.study.decision import Decision, Rules, decide
from storage.states import DueReason, StudyState
from storage.studies.completeness import Evidence

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


MOMENTS = st.integers(0, int(HARD_LIMIT_S) + 600).map(after)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Of a study that is received; its hard limit is an hour after noon."""
    last = draw(st.integers(0, int(HARD_LIMIT_S)))
    due_s = min(last + draw(st.sampled_from([RELEASE_QUIET_S, QUIET_S])), HARD_LIMIT_S)
    announced = draw(st.integers(0, 5))
    return Evidence(
        study_id=1,
        state=StudyState.RECEIVING,
        instances=draw(st.integers(1, 9)),
        last_received_at=after(last),
        due_at=after(due_s),
        due_reason=draw(st.sampled_from([DueReason.QUIET_PERIOD, DueReason.ASSOCIATION_RELEASED])),
        hard_limit_at=after(HARD_LIMIT_S),
        sending=draw(st.booleans()),
        broken=draw(st.booleans()),
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


@given(evidence=evidences(), now=MOMENTS)
def test_a_held_study_waits(evidence: Evidence, now: datetime) -> None:
    decision = decide(replace(evidence, held=True), RULES, now)
    assert decision.reason is None
    assert decision.look_at is not None
    assert decision.look_at > now


@given(evidence=evidences(), now=MOMENTS)
def test_the_hard_limit_ends_every_other_wait(evidence: Evidence, now: datetime) -> None:
    decision = decide(replace(evidence, held=False), RULES, now)
    if now >= evidence.hard_limit_at:
        assert decision.reason is DueReason.HARD_LIMIT
        assert decision.alarms == (evidence.missing > evidence.given_up)
    elif decision.reason is None:
        assert evidence.due_at is not None
        next_look = decision.look_at or evidence.due_at
        assert now < next_look
        assert next_look <= max(evidence.hard_limit_at, now + timedelta(seconds=1))
    else:
        assert not decision.alarms


@given(evidence=evidences(), now=MOMENTS)
def test_what_is_missing_or_going_on_is_waited_for(evidence: Evidence, now: datetime) -> None:
    assume(evidence.missing > evidence.given_up or evidence.in_progress)
    if decide(evidence, RULES, now).reason is not None:
        assert now >= evidence.hard_limit_at


@given(evidence=evidences(), now=MOMENTS)
def test_nothing_shortens_the_wait_but_all_being_here(evidence: Evidence, now: datetime) -> None:
    decision = decide(evidence, RULES, now)
    assert evidence.due_at is not None
    if decision.reason is DueReason.ALL_EXPECTED:
        assert not evidence.missing
        assert evidence.announced or (evidence.archive_instances or 0) >= evidence.instances
        assert now >= evidence.last_received_at + timedelta(seconds=RELEASE_QUIET_S) or (
            now >= evidence.hard_limit_at
        )
    elif decision.reason is not None:
        assert now >= evidence.due_at


@given(evidence=evidences(), now=MOMENTS)
def test_a_break_only_lengthens(evidence: Evidence, now: datetime) -> None:
    broken = decide(replace(evidence, broken=True), RULES, now)
    whole = decide(replace(evidence, broken=False), RULES, now)
    assert broken.reason is None or whole.reason is not None
    if broken.reason is DueReason.ASSOCIATION_BROKEN:
        retried_by = evidence.last_received_at + timedelta(seconds=ABORT_QUIET_S)
        assert now >= min(retried_by, evidence.hard_limit_at)


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
    complete = replace(evidence, state=StudyState.COMPLETE, due_at=None)
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
    hard_limit_s: float = HARD_LIMIT_S
    due_s: float = QUIET_S
    due_reason: DueReason = DueReason.QUIET_PERIOD
    here: set[int] = field(default_factory=lambda: {0})
    named: set[int] = field(default_factory=set)
    state: StudyState = StudyState.RECEIVING
    step: str = "none"
    sending: bool = True
    broken: bool = False
    held: bool = False
    given_up: int = 0
    look_s: float | None = None


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
        study.last_s, study.sending = self.now_s, True
        if study.state is StudyState.COMPLETE:
            study.state = StudyState.RECEIVING
            study.hard_limit_s, study.due_s, study.broken = self.now_s + HARD_LIMIT_S, 0.0, False
        study.due_s = max(study.due_s, min(self.now_s + QUIET_S, study.hard_limit_s))
        study.due_reason = DueReason.QUIET_PERIOD
        study.look_s = None if study.look_s is None else self.now_s + 1

    @precondition(lambda self: self.study.sending)
    @rule(broken=st.booleans())
    def end(self, broken: bool) -> None:
        study = self.study
        study.sending = False
        if broken:
            study.broken = True
        elif not study.broken and study.state is StudyState.RECEIVING:
            study.due_s = min(study.due_s, self.now_s + RELEASE_QUIET_S)
            study.due_reason = DueReason.ASSOCIATION_RELEASED

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
        due = study.state is StudyState.RECEIVING and study.look_s is None
        looked_at = study.look_s is not None and study.look_s <= self.now_s
        if not looked_at and not (due and study.due_s <= self.now_s):
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
        is_received = study.state is StudyState.RECEIVING
        return Evidence(
            study_id=1,
            state=study.state,
            instances=len(study.here),
            last_received_at=after(study.last_s),
            due_at=after(study.due_s) if is_received else None,
            due_reason=study.due_reason,
            hard_limit_at=after(study.hard_limit_s),
            sending=study.sending,
            broken=study.broken,
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
        waits_until_s = study.due_s if study.look_s is None else study.look_s
        assert waits_until_s <= max(study.hard_limit_s, self.now_s + 1)

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

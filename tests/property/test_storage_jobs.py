"""Whatever workers do, and in whatever order: one holder per job, and nothing is lost."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from storage.database.transactions import Database
from storage.errors import ClaimLostError
from storage.migrations.upgrading import upgrade
from storage.states import JobKind, JobState
from storage.work import jobs
from storage.work.jobs import Job
from tests.contract.storing import (
    LEASE_S,
    PIPELINES,
    after,
    job_states,
    open_association,
    received,
    store,
)

OWNERS = st.sampled_from(["here:1:x", "here:2:x"])
JOBS = 3


class Workers(RuleBasedStateMachine):
    """Two workers, a clock, and the claims that each believes to hold."""

    claims: Bundle[Job] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.database = Database(f"sqlite:///{Path(self.folder.name) / 'echonode.db'}")
        upgrade(self.database)
        open_association(self.database)
        for number in range(JOBS):
            store(self.database, received(number))
        self.now_s = 0.0
        self.held: dict[int, Job] = {}
        self.expires_s: dict[int, float] = {}
        self.attempts = dict.fromkeys(range(1, JOBS + 1), 0)
        self.ended: set[int] = set()

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    @rule(target=claims, owner=OWNERS)
    def claim(self, owner: str) -> Job:
        with self.database.write() as tx:
            found = jobs.claim(
                tx, owner=owner, now=after(self.now_s), lease_s=LEASE_S, pipelines=PIPELINES
            )
        free = set(self.attempts) - set(self.held) - self.ended
        assert bool(found) == bool(free)
        for job in found:
            assert job.id in free
            self.attempts[job.id] += 1
            assert job.attempt == self.attempts[job.id]
            self.held[job.id] = job
            self.expires_s[job.id] = self.now_s + LEASE_S
            return job
        return replace(_NOTHING)

    @rule(seconds=st.sampled_from([1, LEASE_S, LEASE_S + 1]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(job=claims)
    def renew(self, job: Job) -> None:
        if self._ends(job, lambda tx: jobs.renew(tx, [job], after(self.now_s), LEASE_S)):
            self.expires_s[job.id] = self.now_s + LEASE_S

    @rule(job=consumes(claims))
    def finish(self, job: Job) -> None:
        if self._ends(job, lambda tx: jobs.finish(tx, job, after(self.now_s))):
            del self.held[job.id]
            self.ended.add(job.id)

    @rule(job=claims)
    def fail(self, job: Job) -> None:
        failing = {"at": after(self.now_s), "code": "x", "message": "x"}
        if self._ends(job, lambda tx: jobs.fail(tx, job, **failing)):
            del self.held[job.id]
            self.ended.add(job.id)

    @rule(job=claims)
    def retry(self, job: Job) -> None:
        now = after(self.now_s)
        if self._ends(
            job, lambda tx: jobs.retry(tx, job, at=now, available_at=now, code="x", message="x")
        ):
            del self.held[job.id]

    @rule(job=consumes(claims))
    def hand_back(self, job: Job) -> None:
        if self._ends(job, lambda tx: jobs.hand_back(tx, job, after(self.now_s))):
            del self.held[job.id]
            self.attempts[job.id] -= 1

    @rule(dead=st.sets(OWNERS))
    def rescue(self, dead: set[str]) -> None:
        with self.database.write() as tx:
            rescued = jobs.rescue(tx, after(self.now_s), lambda owner: owner in dead)
        stranded = [
            job.id
            for job in self.held.values()
            if job.claimed_by in dead or self.expires_s[job.id] < self.now_s
        ]
        assert rescued == len(stranded)
        for job_id in stranded:
            del self.held[job_id]

    @invariant()
    def nothing_is_lost(self) -> None:
        by_state = {state: number for (_, state), number in job_states(self.database).items()}
        assert sum(by_state.values()) == JOBS
        assert by_state.get(JobState.RUNNING, 0) == len(self.held)
        ended = by_state.get(JobState.DONE, 0) + by_state.get(JobState.FAILED, 0)
        assert ended == len(self.ended)

    def _ends(self, job: Job, ending: object) -> bool:
        """Let a worker do something with a job; only who holds it may."""
        try:
            with self.database.write() as tx:
                ending(tx)  # type: ignore[operator]
        except ClaimLostError:
            assert self.held.get(job.id) != job
            return False
        assert self.held.get(job.id) == job
        return True


_NOTHING = Job(0, JobKind.PREPARE, "", 0, None, None, 1, "here:0:x")

TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)

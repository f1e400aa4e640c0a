"""Kill after kill while carts send: each process of the node dies at its steps, again and again.

The three roles die independently of each other. A death is at a named step, or at any moment where
the step did not come in time. A role that has died often enough then lives in peace; when all do,
the node has time until nothing more is to be done, and the auditor looks.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from storage.database.transactions import Database
from storage.files.spool import Spool
from tests.fault.auditor import Auditor, Findings, unfinished
from tests.fault.carts import Cart, Exams
from tests.fault.failpoints import DELIVER, LISTEN, WORK, Step
from tests.fault.victims import ROLES, Ground, Victim

_STEPS: Mapping[str, Mapping[str, Step]] = {"listen": LISTEN, "work": WORK, "deliver": DELIVER}
#: What a role is started for; it is not worth killing while there is none of it.
_FODDER = {"work": "job", "deliver": "delivery"}
_FODDER_WAIT_S = 10.0
#: How long a process may live before it is killed wherever it is, in seconds.
_PATIENCE_S = {"listen": (0.4, 2.0), "work": (1.5, 5.0), "deliver": (0.5, 4.0)}
_LARGEST_BACKLOG = 12


@dataclass
class Toll:
    """What a campaign cost and what came of it."""

    kills: int = 0
    at_steps: dict[str, int] = field(default_factory=dict)
    at_random: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    duration_s: float = 0.0
    findings: Findings = field(default_factory=Findings)


class Campaign:
    """Kills each role of a node so many times, with two carts at work."""

    def __init__(
        self, ground: Ground, exams: Exams, received: Path, kills: Mapping[str, int], seed: int
    ) -> None:
        self._ground = ground
        self._exams = exams
        self._received = received
        self._kills = kills
        self._seed = seed
        self._database = Database(ground.url)
        self._steps: Counter[str] = Counter()
        self._random: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()
        self._peaceful: list[Victim] = []

    def run(self, drain_s: float = 120) -> Toll:
        """Kill, let the node finish within `drain_s`, and examine it."""
        began = time.monotonic()
        carts = [Cart(self._ground.port, self._exams, self._keeps_up) for _ in range(2)]
        for cart in carts:
            cart.start()
        hunters = [threading.Thread(target=self._hunt, args=[role], daemon=True) for role in ROLES]
        for hunter in hunters:
            hunter.start()
        for hunter in hunters:
            hunter.join()
        self._let_it_finish(carts, drain_s)
        acknowledged = {uid: pixels for cart in carts for uid, pixels in cart.acknowledged.items()}
        auditor = Auditor(self._database, Spool(self._ground.spool_dir), _files(self._received))
        findings = auditor.examine(acknowledged)
        self._database.close()
        return Toll(
            kills=self._steps.total() + self._random.total(),
            at_steps=dict(sorted(self._steps.items())),
            at_random=dict(sorted(self._random.items())),
            refused=sum(cart.refused for cart in carts),
            duration_s=round(time.monotonic() - began, 1),
            findings=findings,
        )

    def _keeps_up(self) -> bool:
        left = unfinished(self._database)
        return left.get("job", 0) + left.get("study", 0) < _LARGEST_BACKLOG

    def _hunt(self, role: str) -> None:
        """Kill one role until its number is full; step after step, each before any comes again."""
        chance = random.Random(f"{self._seed} {role}")
        waiting: list[str] = []
        for _ in range(self._kills[role]):
            if not waiting:
                waiting = sorted(_STEPS[role])
                chance.shuffle(waiting)
            step = waiting.pop()
            nth = chance.randint(1, _STEPS[role][step].passes)
            self._wait_for_fodder(role)
            victim = self._ground.run(role, at=f"{step}:{nth}")
            patience_s = chance.uniform(*_PATIENCE_S[role]) * (1 + self._missed[step])
            self._see_it_die(victim, step, patience_s)
        self._peaceful.append(self._ground.run(role))

    def _wait_for_fodder(self, role: str) -> None:
        deadline = time.monotonic() + _FODDER_WAIT_S
        while role in _FODDER and _FODDER[role] not in unfinished(self._database):
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)

    def _see_it_die(self, victim: Victim, step: str, patience_s: float) -> None:
        if victim.ended_within(patience_s):
            assert victim.was_killed, f"`echonode {victim.role}` ended, see {self._ground.log}"
            self._steps[step] += 1
        else:
            victim.kill()
            self._random[victim.role] += 1
            self._missed[step] += 1  # it gets more time when its turn comes again

    def _let_it_finish(self, carts: Sequence[Cart], drain_s: float) -> None:
        """No more kills, until nothing more is to be done or the time is over."""
        try:
            for cart in carts:
                cart.finish()
            deadline = time.monotonic() + drain_s
            while unfinished(self._database) and time.monotonic() < deadline:
                time.sleep(0.2)
        finally:
            for victim in self._peaceful:
                victim.stop()


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.is_file()]

"""Who is turned away is told at once, then once a window, however often they knock."""

from collections.abc import Iterator

import pytest

from dicom_node.scp.refusals import Refusal, Refusals
from storage.audit.trail import Action, RecordedEvent, search
from storage.database.transactions import Database
from storage.migrations.upgrading import upgrade


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('refusals') / 'node.db'}")
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def told(database: Database) -> "Told":
    return Told(database)


class Told:
    """Refusals on a clock of ours, and what of them the audit got."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.refusals = Refusals(database, "test", window_s=60, clock=self.clock)
        self._database = database
        self._before = len(self._all())

    def __call__(self) -> list[tuple[object, object]]:
        """(calling AE title, count) of each event."""
        return [(e.detail["calling_aet"], e.detail["count"]) for e in self._all()[self._before :]]

    def _all(self) -> list[RecordedEvent]:
        with self._database.read() as tx:
            return search(tx, action=Action.ASSOCIATION_REFUSED, limit=10_000, newest_first=False)

    def knock(self, address: str = "10.0.0.9", calling: str = "SCANNER", times: int = 1) -> None:
        for _ in range(times):
            self.refusals.note(Refusal(address, calling, "ECHONODE", "calling AE title unknown"))
            self.refusals.write()


def test_the_first_is_told_at_once_and_the_others_once_a_window(told: Told) -> None:
    told.knock(times=1000)
    assert told() == [("SCANNER", 1)]
    told.clock.now = 60
    told.refusals.write()
    assert told() == [("SCANNER", 1), ("SCANNER", 999)]
    told.clock.now = 119
    told.knock(times=3)
    assert len(told()) == 2
    told.clock.now = 120
    told.refusals.write()
    assert told()[2:] == [("SCANNER", 3)]


def test_after_a_quiet_window_the_next_is_news_again(told: Told) -> None:
    told.knock()
    told.clock.now = 60
    told.refusals.write()
    told.knock()
    assert told() == [("SCANNER", 1), ("SCANNER", 1)]


def test_a_scanner_that_changes_its_title_fills_nothing(told: Told) -> None:
    for number in range(500):
        told.knock(calling=f"TITLE{number}")
    told.knock(address="10.0.0.10", calling="CART")
    assert len(told()) == 18
    assert ("CART", 1) in told(), "another address is still told apart"
    told.refusals.write(is_last=True)
    assert sum(int(str(count)) for _, count in told()) == 501, "and every attempt is counted"


def test_a_scanner_with_many_addresses_fills_nothing(told: Told) -> None:
    for number in range(2000):
        told.refusals.note(Refusal(f"fd00::{number:x}", "A", "B", "calling AE title unknown"))
    told.refusals.write(is_last=True)
    assert len(told()) == 257
    assert sum(int(str(count)) for _, count in told()) == 2000

"""`echonode doctor` and `echonode peer echo` on whom the node calls, and who holds its port."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from dicom_node.cli import cli
from dicom_node.tls.authority import issue
from storage import tables
from storage.states import DeliveryState
from tests.audit_repository import repository
from tests.certificates import Authority
from tests.mllp import ris
from tests.objects import KEY_OBJECTS
from tests.outbox import Outbox
from tests.peers import free_port, listens, process, wait_until
from tests.storescp import storescp
from tests.web_pacs import Reply, web_pacs

CHECKOUT = Path(__file__).resolve().parents[2]


class Node:
    """Somebody with a shell on a node; its settings grow."""

    def __init__(self, folder: Path) -> None:
        self.outbox = Outbox(folder)
        self.config = folder / "node.toml"
        self.port = free_port()
        self.config.write_text(
            f'[storage]\ndatabase_url = "{self.outbox.url}"\nlow_water_bytes = 0\n'
            f'[receive]\nhost = "127.0.0.1"\nport = {self.port}\n'
        )

    def knows(self, table: str, name: str, **settings: object) -> None:
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        with self.config.open("a") as file:
            file.write("\n".join([f'[[{table}]]\nname = "{name}"', *lines, ""]))

    def doctor(self) -> dict[str, dict[str, Any]]:
        """Every check by its name; a bad one outweighs a good one of the same name."""
        done = CliRunner().invoke(cli, ["doctor", "--json", "--config", str(self.config)])
        checks = json.loads(done.output)
        assert done.exit_code == (0 if all(check["good"] for check in checks) else 1)
        return {check["name"]: check for check in sorted(checks, key=lambda each: not each["good"])}

    def echo(self, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        given = ["peer", "echo", *arguments, "--json", "--config", str(self.config)]
        done = CliRunner().invoke(cli, given)
        return done.exit_code, json.loads(done.output)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.outbox.close()


HTML = b"<html><body>Please log in</body></html>"


@pytest.mark.parametrize(
    ("reply", "good", "says"),
    [
        (Reply(200, []), True, "answers (HTTP 200)"),
        (Reply(204, b""), True, "answers (HTTP 204)"),
        (Reply(405, b"no"), True, "it offers no search (HTTP 405)"),
        (Reply(403, b"no", {"Allow": "OPTIONS, POST"}), False, "the right to store"),
        (Reply(401, b"no"), False, "correct `user` and `password`, or `bearer_token`"),
        (Reply(404, b"no"), False, "`url` is not the root of its DICOMweb service"),
        (Reply(200, HTML), False, "or there is a login page in front of it"),
        (Reply(200, {"message": "hello"}), False, "but not with DICOM JSON"),
        (Reply(302, b"", {"Location": "https://other/"}), False, "redirects are not followed"),
        (Reply(503, b""), False, "HTTP 503"),
    ],
)
def test_a_wrong_path_a_wrong_password_and_a_login_page_are_told_from_a_dicomweb_service(
    node: Node, reply: Reply, *, good: bool, says: str
) -> None:
    with web_pacs(lambda _: reply) as pacs:
        node.knows("destination", "web", url=pacs.url)
        node.knows("archive", "vna", url=pacs.url)
        checks = node.doctor()
        code, echoed = node.echo("web")
        assert {request.method for request in pacs.requests} <= {"GET", "OPTIONS"}
    for check in (checks["destination web"], checks["archive vna"]):
        assert (check["good"], says in check["detail"]) == (good, True), check
        assert ("see `echonode peer doctor" in check["detail"]) is not good
    assert (code, echoed["web"]["ok"]) == (0 if good else 1, good)


def test_a_service_that_only_stores_is_there(node: Node) -> None:
    def answer(request: Any) -> Reply:
        allowed = {"Allow": "OPTIONS, POST"}
        return Reply(200, b"", allowed) if request.method == "OPTIONS" else Reply(404, b"")

    with web_pacs(answer) as pacs:
        node.knows("destination", "web", url=pacs.url)
        assert node.doctor()["destination web"]["good"]


def test_everybody_who_is_called_is_asked_whatever_he_speaks(node: Node, tmp_path: Path) -> None:
    with (
        storescp(tmp_path / "pacs") as pacs,
        ris(tmp_path / "ris") as hospital,
        web_pacs(lambda _: Reply(200, [])) as web,
    ):
        dimse = {"host": "127.0.0.1", "port": pacs.port, "ae_title": "PACS"}
        node.knows("destination", "pacs", **dimse)
        node.knows("destination", "web", url=web.url)
        node.knows("destination", "ris", protocol="hl7", host="127.0.0.1", port=hospital.port)
        node.knows("archive", "pacs", **dimse, retrieve="get")
        node.knows("work_list", "list", **dimse)
        everybody = {"pacs", "web", "ris", "archive pacs", "work list list"}
        code, echoed = node.echo()
        assert (code, set(echoed)) == (0, everybody)
        assert all(item["ok"] for item in echoed.values())
        assert set(node.echo("pacs")[1]) == {"pacs", "archive pacs"}
        checks = node.doctor()
        named = ["destination pacs", "destination ris", "archive pacs", "work list list"]
        assert all(checks[name]["good"] for name in named)
    code, echoed = node.echo()
    assert (code, {item["ok"] for item in echoed.values()}) == (1, {False})
    checks = node.doctor()
    assert not any(checks[name]["good"] for name in named)


def test_who_is_asked_for_must_be_known(node: Node) -> None:
    node.knows("destination", "pacs", host="127.0.0.1", port=1, ae_title="PACS")
    done = CliRunner().invoke(cli, ["peer", "echo", "nobody", "--config", str(node.config)])
    assert done.exit_code == 2
    assert "no destination, archive or work list is named 'nobody'; known: pacs" in done.output


def test_an_audit_repository_is_looked_at_as_audit_messages_need_it(
    node: Node, tmp_path: Path
) -> None:
    ours, nobody = Authority.at(tmp_path / "hospital"), Authority.at(tmp_path / "nobody")
    own = ours.issue("node")
    with ExitStack() as stack:
        known = stack.enter_context(repository(ours, ours.issue("arr")))
        stranger = stack.enter_context(repository(nobody, nobody.issue("arr")))
        deaf = stack.enter_context(repository(nobody, ours.issue("arr2")))
        for name, port in (
            ("known", known.port),
            ("stranger", stranger.port),
            ("deaf", deaf.port),
            ("away", free_port()),
        ):
            node.knows(
                "audit_repository",
                name,
                host="127.0.0.1",
                port=port,
                certificate=str(own.certificate),
                key=str(own.key),
                ca=str(ours.ca),
                timeout_s=2,
            )
        checks = node.doctor()
        assert known.lines == []
    assert checks["audit repository known"]["good"]
    for name in ("stranger", "deaf", "away"):
        check = checks[f"audit repository {name}"]
        assert not check["good"], name
        assert "that it trusts our certificate" in check["detail"]
    assert "connection refused" in checks["audit repository away"]["detail"]


def gives_up(node: Node, code: str, *, ago: timedelta = timedelta()) -> None:
    """End what is pending."""
    with node.outbox.database.write() as tx:
        tx.execute(
            update(tables.Delivery)
            .where(tables.Delivery.state == "pending")
            .values(
                state=DeliveryState.FAILED,
                finished_at=datetime.now(UTC) - ago,
                error_code=code,
                error_message="told",
            )
        )


def test_what_was_given_up_is_bad_until_it_is_sent_again(node: Node) -> None:
    assert node.doctor()["deliveries"]["good"]
    node.outbox.queue("pacs")
    gives_up(node, "EXPIRED")
    check = node.doctor()["deliveries"]
    assert not check["good"]
    assert "given up in the last 7 days: 1 to pacs" in check["detail"]
    assert "echonode outbox retry --destination NAME" in check["detail"]
    command = ["outbox", "retry", "--all", "--config", str(node.config)]
    assert CliRunner().invoke(cli, command).exit_code == 0
    assert node.doctor()["deliveries"]["good"]


@pytest.mark.parametrize(
    ("code", "kind", "ago"),
    [
        ("WITHDRAWN", "SR", timedelta()),
        ("OVERTAKEN", "SR", timedelta()),
        ("SOP_CLASS_REFUSED", "KOS", timedelta()),
        ("EXPIRED", "SR", timedelta(days=8)),
    ],
)
def test_what_is_not_missing_is_not_bad(node: Node, code: str, kind: Any, ago: timedelta) -> None:
    node.outbox.queue("pacs", kind, [KEY_OBJECTS])
    gives_up(node, code, ago=ago)
    assert node.doctor()["deliveries"]["good"]


def test_what_waits_for_long_is_a_warning(node: Node) -> None:
    node.outbox.queue("pacs")
    with node.outbox.database.write() as tx:
        tx.execute(
            update(tables.Delivery).values(
                attempt=9,
                error_code="UNREACHABLE",
                created_at=datetime.now(UTC) - timedelta(hours=5),
            )
        )
    check = node.doctor()["deliveries to pacs"]
    assert (check["good"], check["warns"]) == (True, True)
    assert "1 deliveries wait, the oldest for 5 h (UNREACHABLE)" in check["detail"]


def test_our_own_certificate_that_is_over_is_bad_and_anothers_authority_a_warning(
    node: Node, tmp_path: Path
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=430)
    authority = Authority.at(tmp_path / "certificates")
    own = authority.issue("node", now=long_ago)
    with node.config.open("a") as file:
        file.write(
            f'[tls]\ncertificate = "{own.certificate}"\nkey = "{own.key}"\nca = "{authority.ca}"\n'
        )
    other = tmp_path / "other.pem"
    other.write_bytes(
        issue(authority.pair, "other", now=long_ago).write(tmp_path, "old")[0].read_bytes()
    )
    node.knows(
        "destination",
        "pacs",
        host="127.0.0.1",
        port=1,
        ae_title="PACS",
        tls=True,
        tls_ca=str(other),
    )
    checks = node.doctor()
    assert not checks["certificate node.pem"]["good"]
    assert "our own certificate CN=node expired on" in checks["certificate node.pem"]["detail"]
    assert checks["certificate other.pem"]["good"]
    assert checks["certificate other.pem"]["warns"]


def test_a_free_port_is_free(node: Node) -> None:
    assert f"{node.port}: free" in node.doctor()["port"]["detail"]


def test_another_program_on_our_port_is_named(node: Node, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "http.server", str(node.port), "--bind", "127.0.0.1"]
    with process(program, tmp_path / "other.log") as other:
        wait_until(lambda: listens(node.port), what="it listens")
        check = node.doctor()["port"]
    assert not check["good"]
    assert f"(process {other.pid}), which is not the listener of this node" in check["detail"]


@pytest.mark.parametrize("given", [["--config", "{}"], ["--config={}"]])
def test_our_own_listener_is_recognised_and_another_nodes_is_not(
    node: Node, tmp_path: Path, given: list[str]
) -> None:
    with node.config.open("a") as file:
        file.write('[[peer]]\nname = "cart"\nae_title = "CART"\nnetworks = ["127.0.0.1/32"]\n')
    options = [option.format(node.config) for option in given]
    command = [sys.executable, "-m", "dicom_node", "listen", *options]
    with process(command, tmp_path / "listen.log", cwd=CHECKOUT) as listener:
        wait_until(lambda: listens(node.port), 30, what="it listens")
        check = node.doctor()["port"]
        assert (check["good"], check["detail"]) == (
            True,
            f"{node.port}: this node listens (process {listener.pid})",
        )
        (tmp_path / "second").mkdir()
        second = Node(tmp_path / "second")
        second.config.write_text(node.config.read_text())
        check = second.doctor()["port"]
        assert not check["good"]
        assert f"process {listener.pid}" in check["detail"]
        second.outbox.close()

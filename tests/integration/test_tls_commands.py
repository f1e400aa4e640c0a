"""`echonode tls` and what `echonode doctor` says: from no certificate to a peer that is let in."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicom_node import app
from dicom_node.app import partners
from dicom_node.cli import cli
from dicom_node.settings.file import read_settings
from dicom_node.tls.authority import issue
from tests.certificates import Authority
from tests.peers import free_port, require


def echonode(*arguments: str | Path) -> str:
    done = CliRunner().invoke(cli, [str(each) for each in arguments])
    return done.output + (str(done.exception) if done.exception else "")


def settings_file(folder: Path, certificates: Path) -> Path:
    file = folder / "node.toml"
    file.write_text(
        f"""
[receive]
host = "127.0.0.1"
port = 0
tls_port = {free_port()}
[tls]
certificate = "{certificates / "node.pem"}"
key = "{certificates / "node.key"}"
ca = "{certificates / "ca.pem"}"
[[peer]]
name = "cart-1"
ae_title = "CART1"
networks = ["127.0.0.1/32"]
tls = {{ name = "cart-1" }}
[[destination]]
name = "pacs"
host = "127.0.0.1"
port = 104
ae_title = "PACS"
tls = true
""",
        "utf-8",
    )
    return file


def test_what_init_makes_lets_a_peer_in(tmp_path: Path) -> None:
    made = tmp_path / "certificates"
    said = echonode("tls", "init", "--dir", made, "--host", "127.0.0.1", "--peer", "cart-1")
    assert "tls_port = 2762" in said
    assert {file.stat().st_mode & 0o777 for file in made.glob("*.key")} == {0o600}
    settings = read_settings(settings_file(tmp_path, made))
    listener = app.make_listener(settings)
    listener.start()
    try:
        files = [str(made / "cart-1.key"), str(made / "cart-1.pem"), "+cf", str(made / "ca.pem")]
        called = ["-aet", "CART1", "-aec", "ECHONODE", "127.0.0.1", str(settings.receive.tls_port)]
        subprocess.run([require("echoscu"), "+tls", *files, *called], check=True, timeout=30)
    finally:
        listener.stop()
    trust = partners.remote_node(settings, settings.destination[0]).tls
    assert trust is not None
    assert trust.name == "127.0.0.1"


def test_init_replaces_nothing(tmp_path: Path) -> None:
    echonode("tls", "init", "--dir", tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert "exists and is not replaced" in echonode("tls", "init", "--dir", tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["../cart", "a/b", "", "node", "ca", "x" * 64])
def test_a_peers_name_is_no_path(tmp_path: Path, name: str) -> None:
    assert "Invalid value" in echonode("tls", "init", "--dir", tmp_path / "new", "--peer", name)
    assert not (tmp_path / "new").exists()


def test_show_tells_what_to_pin(tmp_path: Path) -> None:
    echonode("tls", "init", "--dir", tmp_path, "--peer", "cart-1")
    [shown] = json.loads(echonode("tls", "show", tmp_path / "cart-1.pem", "--json"))
    openssl = [require("openssl"), "x509", "-in", str(tmp_path / "cart-1.pem"), "-noout"]
    done = subprocess.run(
        [*openssl, "-fingerprint", "-sha256"], capture_output=True, text=True, check=True
    )
    assert done.stdout.partition("=")[2].strip().replace(":", "").lower() == shown["fingerprint"]
    config = settings_file(tmp_path, tmp_path)
    files = {Path(row["file"]).name for row in json.loads(_show_all(config))}
    assert files == {"node.pem", "ca.pem"}


def _show_all(config: Path) -> str:
    return echonode("tls", "show", "--config", config, "--json")


def doctor(config: Path) -> dict[str, dict[str, object]]:
    checks = json.loads(echonode("doctor", "--config", config, "--json").rpartition("]")[0] + "]")
    return {check["name"]: check for check in checks}


def test_doctor_names_certificates_that_end_soon(tmp_path: Path) -> None:
    authority = Authority.at(tmp_path / "certificates")
    config = settings_file(tmp_path, authority.folder)
    almost_over = datetime.now(UTC) - timedelta(days=380)
    issue(authority.pair, "node", now=almost_over).write(authority.folder, "node")
    checks = doctor(config)
    assert checks["tls"]["good"]
    warning = checks["certificate node.pem"]
    assert (warning["good"], warning["warns"]) == (True, True)
    assert "CN=node expires on" in str(warning["detail"])


def test_doctor_names_a_key_that_others_may_read(tmp_path: Path) -> None:
    authority = Authority.at(tmp_path / "certificates")
    authority.issue("node").key.chmod(0o604)
    checks = doctor(settings_file(tmp_path, authority.folder))
    assert not checks["tls"]["good"]
    assert "chmod o=" in str(checks["tls"]["detail"])


def test_doctor_loads_the_files_of_every_system(tmp_path: Path) -> None:
    authority = Authority.at(tmp_path / "certificates")
    for name in ("node", "other"):
        authority.issue(name)
    file = settings_file(tmp_path, authority.folder)
    node = 'host = "127.0.0.1"\nport = 1\nae_title = "A"\n'
    gone = f'tls = {{ ca = "{authority.folder / "gone.pem"}" }}\n'
    own, others = (f'"{authority.folder / name}.key"' for name in ("other", "node"))
    shown = f'tls = {{ certificate = "{authority.folder / "other.pem"}", key = '
    with file.open("a") as growing:
        growing.write(f'[[archive]]\nname = "pacs"\n{node}{gone}')
        growing.write(f'[[archive]]\nname = "web"\nurl = "https://127.0.0.1:1/"\n{gone}')
        growing.write(f'[[work_list]]\nname = "good"\n{node}{shown}{own} }}\n')
        growing.write(f'[[work_list]]\nname = "list"\n{node}{shown}{others} }}\n')
        growing.write(f'[[audit_repository]]\nname = "arr"\nhost = "127.0.0.1"\n{gone}')
    check = doctor(file)["tls"]
    assert not check["good"]
    named = [words.partition(":")[0] for words in str(check["detail"]).split("; ")]
    assert named == ["pacs", "web", "list", "arr"]
    assert "key values mismatch" in str(check["detail"])


def test_doctor_names_every_system_in_plain_text(tmp_path: Path) -> None:
    authority = Authority.at(tmp_path / "certificates")
    authority.issue("node")
    file = settings_file(tmp_path, authority.folder)
    node = 'host = "127.0.0.1"\nport = 1\nae_title = "A"\n'
    with file.open("a") as growing:
        growing.write(f'[[archive]]\nname = "vna"\n{node}[[work_list]]\nname = "list"\n{node}')
        growing.write('[[archive]]\nname = "web"\nurl = "http://127.0.0.1:1/"\n')
    assert doctor(file)["tls"]["detail"] == "files good; in plain text: vna, web, list"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be warned of being root")
def test_doctor_warns_of_root(tmp_path: Path) -> None:
    authority = Authority.at(tmp_path / "certificates")
    authority.issue("node")
    assert doctor(settings_file(tmp_path, authority.folder))["user"]["warns"]

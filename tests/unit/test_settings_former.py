"""Keys of earlier versions: they mean what they meant, and the operator learns the new ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicom_node.cli import cli
from dicom_node.errors import SettingsError
from dicom_node.settings.file import former_keys, origins, read_settings

CHECKOUT = Path(__file__).resolve().parents[2]
NODE = '[receive]\ntls_port = 2762\n[tls]\ncertificate = "n.pem"\nkey = "n.key"\nca = "ca.pem"\n'
CART = '[[peer]]\nname = "cart"\nae_title = "CART"\nnetworks = ["10.0.0.1/32"]\n'
PACS = 'name = "pacs"\nhost = "h"\nport = 104\nae_title = "PACS"\n'
WEB = 'name = "web"\nurl = "https://h/dicom-web"\n'
LIST = "[[work_list]]\n" + PACS.replace("pacs", "list") + "[[destination]]\n" + PACS
REPOSITORY = '[[audit_repository]]\nname = "arr"\nhost = "h"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (
            CART + 'tls = true\ntls_name = "cart"\ntls_ca = "cart.pem"\n',
            CART + 'tls = { name = "cart", ca = "cart.pem" }\n',
        ),
        (
            "[[destination]]\n" + PACS + f'tls = true\ntls_fingerprints = ["{"ab" * 32}"]\n',
            "[[destination]]\n" + PACS + f'tls = {{ fingerprints = ["{"ab" * 32}"] }}\n',
        ),
        (
            "[[archive]]\n" + PACS + "connect_timeout_s = 1\nresponse_timeout_s = 2\n",
            "[[archive]]\n" + PACS + "timeouts = { connect_s = 1, response_s = 2 }\n",
        ),
        (
            LIST.replace("[[destination]]", 'tls = true\ntls_ca = "list.pem"\n[[destination]]'),
            LIST.replace("[[destination]]", 'tls = { ca = "list.pem" }\n[[destination]]'),
        ),
        (
            REPOSITORY + 'certificate = "c"\nkey = "k"\nca = "a"\n',
            REPOSITORY + 'tls = { certificate = "c", key = "k", ca = "a" }\n',
        ),
        (
            "[[archive]]\n" + WEB + 'tls_ca = "web.pem"\n',
            "[[archive]]\n" + WEB + 'tls = { ca = "web.pem", mutual = false }\n',
        ),
        (
            "[[archive]]\n" + WEB + 'tls = true\ntls_ca = "web.pem"\n',
            "[[archive]]\n" + WEB + 'tls = { ca = "web.pem" }\n',
        ),
    ],
)
def test_a_former_key_means_the_same_and_its_advice_is_taken_as_it_is(
    tmp_path: Path, before: str, now: str
) -> None:
    file = write(tmp_path, NODE + before)
    settings = read_settings(file, {})
    [advice] = former_keys(file, {})
    assert f"; write instead {now.partition('tls = ')[1] or 'timeouts = '}" in advice
    assert read_settings(write(tmp_path, NODE + now), {}) == settings
    assert not former_keys(file, {})
    assert advice.partition("write instead ")[2] in now


def test_what_was_only_switched_on_and_left_empty_changes_nothing(tmp_path: Path) -> None:
    plain = read_settings(write(tmp_path, CART), {})
    file = write(tmp_path, CART + 'tls = false\ntls_name = ""\ntls_fingerprints = []\n')
    assert read_settings(file, {}) == plain
    assert former_keys(file, {}) == [
        'peer "cart": tls_name, tls_fingerprints: has no effect, remove it'
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CART + 'tls = { name = "c" }\ntls_ca = "x"\n', "tls is given too: write tls.ca instead"),
        (
            "[[archive]]\n" + PACS + "connect_timeout_s = 1\ntimeouts = { response_s = 2 }\n",
            'archive "pacs": connect_timeout_s: timeouts is given too: write timeouts.connect_s',
        ),
        (CART + 'tls_name = "c"\n', 'TLS is off: write tls = { name = "c" }'),
        (
            CART + 'tls = true\ntls_fingerprints = ["1"]\n',
            'peer "cart": tls_fingerprints[0]: a SHA',
        ),
        ("[[archive]]\n" + PACS + "connect_timeout_s = 0\n", '"pacs": connect_timeout_s: Input'),
    ],
)
def test_what_cannot_be_meant_so_is_refused_by_the_key_that_was_written(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(write(tmp_path, NODE + text), {})
    assert says in str(caught.value)


def test_the_origin_of_a_value_is_told_by_its_new_key(tmp_path: Path) -> None:
    file = write(tmp_path, NODE + CART + 'tls = true\ntls_name = "cart"\n')
    assert origins(file, {})["peer[0].tls.name"] == "file"
    peers = '[{"name": "p", "ae_title": "P", "networks": ["10.0.0.2/32"]}]'
    found = origins(file, {"ECHONODE_PEER": peers})
    assert found["peer[0].name"] == "environment"
    assert "peer[0].tls.name" not in found, "what the environment replaces is not from the file"


@pytest.mark.parametrize("command", [["config", "show"], ["config", "check"], ["doctor"]])
def test_whoever_looks_at_the_settings_is_told(tmp_path: Path, command: list[str]) -> None:
    file = write(tmp_path, "[[archive]]\n" + PACS + "connect_timeout_s = 1\n")
    done = CliRunner().invoke(cli, [*command, "--config", str(file)])
    advice = 'archive "pacs": connect_timeout_s: still works; write instead timeouts = '
    assert advice in done.output


def test_the_log_says_it_at_start(tmp_path: Path) -> None:
    """The listener ends at once, since its certificate is missing."""
    file = write(tmp_path, NODE + "[[archive]]\n" + PACS + "connect_timeout_s = 1\n")
    command = [sys.executable, "-m", "dicom_node", "listen", "--config", str(file)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    [line] = [line for line in done.stderr.splitlines() if "former settings key" in line]
    assert json.loads(line)["reason"].startswith('archive "pacs": connect_timeout_s: still works')


def test_the_settings_shown_as_json_stay_json(tmp_path: Path) -> None:
    file = write(tmp_path, "[[archive]]\n" + PACS + "connect_timeout_s = 1\n")
    done = CliRunner().invoke(cli, ["config", "show", "--json", "--config", str(file)])
    assert done.stdout.startswith("[")
    assert done.stderr.startswith("archive")

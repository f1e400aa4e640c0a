"""What the settings say of storage commitment and the ladder, and what becomes of it."""

from pathlib import Path

import pytest

from dicom_node.app import ladders
from dicom_node.errors import SettingsError
from dicom_node.settings.file import read_settings
from dicom_node.settings.model import Settings

PEER = '[[peer]]\nname="cart"\nae_title="CART"\nnetworks=["10.0.0.1/32"]\n'
PACS = '[[destination]]\nname="pacs"\nhost="pacs"\nport=104\nae_title="PACS"\n'
WEB = '[[destination]]\nname="web"\nurl="https://pacs/dicom-web"\n'
RIS = '[[destination]]\nname="ris"\nprotocol="hl7"\nhost="ris"\nport=2575\n'
ARCHIVE = '[[archive]]\nname="store"\nhost="pacs"\nport=104\nae_title="STORE"\n'


def read(folder: Path, text: str) -> Settings:
    path = folder / "node.toml"
    path.write_text(text, "utf-8")
    return read_settings(path, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PEER + 'may=["commit"]\ncommitment_host="cart"\n', "commitment_port belong together"),
        (PEER + 'may=["commit"]\ncommitment_ae_title="X"\n', "needs commitment_host"),
        (PEER + 'commitment_host="cart"\ncommitment_port=104\n', "add it to may"),
        (PACS + 'climb_to="read_back"\n', "archive belong together"),
        (PACS + 'archive="store"\n' + ARCHIVE, "archive belong together"),
        (
            PACS + 'climb_to="read_back"\narchive="other"\n' + ARCHIVE,
            "no \\[\\[archive\\]\\] named",
        ),
        (PACS + "commitment_port=105\n", "have no effect here"),
        (WEB + 'climb_to="committed"\n', "no storage commitment"),
        (
            RIS + 'climb_to="committed"\n',
            'allows climb_to = "accepted" only',
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read(tmp_path, text)


def test_a_destination_may_be_asked_for_commitment_elsewhere(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        PACS + 'climb_to="committed"\ncommitment_port=11112\ncommitment_ae_title="STGCMT"\n',
    )
    node = ladders.commitment_node(settings, settings.destination[0])
    assert node is not None
    assert (node.name, node.host, node.port, node.ae_title) == ("pacs", "pacs", 11112, "STGCMT")


def test_a_web_destination_is_not_asked_for_commitment(tmp_path: Path) -> None:
    settings = read(tmp_path, WEB + 'climb_to="read_back"\narchive="store"\n' + ARCHIVE)
    assert ladders.commitment_node(settings, settings.destination[0]) is None


def test_a_peer_is_called_back_by_its_own_title_unless_it_has_another(tmp_path: Path) -> None:
    called = 'may=["commit"]\ncommitment_host="cart"\ncommitment_port=104\n'
    for title, expected in (("", "CART"), ('commitment_ae_title="CARTCMT"\n', "CARTCMT")):
        settings = read(tmp_path, PEER + called + title)
        node = ladders.called_back(settings, settings.peer[0])
        assert (node.host, node.port, node.ae_title) == ("cart", 104, expected)
        assert node.calling_ae_title == "ECHONODE"


def test_nobody_may_ask_for_commitment_unless_it_is_said(tmp_path: Path) -> None:
    assert "commit" not in read(tmp_path, PEER).peer[0].may

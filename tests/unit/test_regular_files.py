"""A pipe, a device, a folder or a huge file in a file's place is refused at once, everywhere."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dicom_node.errors import SettingsError
from dicom_node.settings.file import read_settings
from dicom_node.tls.authority import issue, make_authority
from dicom_node.tls.certificates import read_certificates
from dicom_node.tls.errors import TlsFileError
from dicom_node.tls.profile import Credentials, listening_context
from inference.bundle.checking import check
from inference.bundle.untrained import make_untrained
from inference.errors import TrainingDataError
from inference.regular_files import read_regular
from inference.training.cohort.labels import read_labels
from inference.training.recipe import Recipe
from inference.training.recipe_files import read_recipe
from storage.errors import BackupError
from storage.keeping.backup import read_backup

Put = Callable[[Path], None]


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20_000_000_000)  # takes no room


in_its_place = pytest.mark.parametrize("put", [_pipe, _folder, _device, _socket, _huge])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("bundle")
    make_untrained(folder / "made", architecture="resnet10_narrow")
    yield folder / "made"


@in_its_place
@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors"])
def test_a_bundle_with_something_else_in_a_files_place_is_no_bundle(
    bundle: Path, tmp_path: Path, put: Put, name: str
) -> None:
    shutil.copytree(bundle, tmp_path / "bundle")
    path = tmp_path / "bundle" / name
    path.unlink()
    put(path)
    [problem] = check(tmp_path / "bundle")
    assert str(path) in problem


def test_a_manifest_that_says_its_weights_are_empty_opens_no_pipe(
    bundle: Path, tmp_path: Path
) -> None:
    shutil.copytree(bundle, tmp_path / "bundle")
    manifest, weights = tmp_path / "bundle" / "manifest.json", tmp_path / "bundle"
    stated = json.loads(manifest.read_text())
    stated["weights"]["size_bytes"] = 0
    manifest.write_text(json.dumps(stated))
    (weights / "model.safetensors").unlink()
    _pipe(weights / "model.safetensors")
    assert len(check(tmp_path / "bundle")) == 1


@in_its_place
@pytest.mark.parametrize(
    ("read", "error"),
    [
        (lambda path: read_settings(path, {}), SettingsError),
        (read_labels, TrainingDataError),
        (lambda path: read_recipe(path, Recipe), TrainingDataError),
        (read_certificates, TlsFileError),
    ],
    ids=["settings", "labels", "recipe", "certificates"],
)
def test_no_file_that_an_operator_names_holds_the_command_up(
    tmp_path: Path, put: Put, read: Callable[[Path], Any], error: type[Exception]
) -> None:
    path = tmp_path / "file"
    put(path)
    with pytest.raises(error, match=r"pipe, device or socket|a folder|larger than|unreadable|read"):
        read(path)


@pytest.mark.parametrize("put", [_pipe, _folder, _socket])
def test_a_pipe_in_the_place_of_a_key_or_certificate_is_named(tmp_path: Path, put: Put) -> None:
    authority = make_authority("authority")
    authority.write(tmp_path, "ca")
    issue(authority, "node", ()).write(tmp_path, "node")
    good = {name: tmp_path / name for name in ("node.pem", "node.key", "ca.pem")}
    for name in good:
        wrong = tmp_path / f"wrong {name}"
        put(wrong)
        wrong.chmod(0o600)
        given = good | {name: wrong}
        own = Credentials(given["node.pem"], given["node.key"])
        with pytest.raises(TlsFileError, match=r"pipe, device or socket|a folder"):
            listening_context(own, [given["ca.pem"]], None)


def test_a_pipe_in_the_place_of_a_backup_is_no_backup(tmp_path: Path) -> None:
    _pipe(tmp_path / "backup.json")
    with pytest.raises(BackupError, match=r"holds no backup\.json"):
        read_backup(tmp_path)


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    assert read_regular(path, 1000) == b"x" * 1000
    with pytest.raises(OSError, match="larger than"):
        read_regular(path, 999)

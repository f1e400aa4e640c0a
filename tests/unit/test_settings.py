"""Settings: typed, from file and environment, and helpful when they are wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicom_node.app import partners
from dicom_node.cli import cli
from dicom_node.errors import SettingsError
from dicom_node.settings.example import example
from dicom_node.settings.file import origins, read_settings
from dicom_node.settings.section import Section

ROOT = Path(__file__).resolve().parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_example_documents_every_key_with_its_default() -> None:
    assert (ROOT / "deploy/node.example.toml").read_text("utf-8") == example()


def test_the_example_can_be_used_with_every_key_switched_on(tmp_path: Path) -> None:
    lines = example().splitlines()
    switched_on = [line[1:] if line.startswith("#") and line[1] != " " else line for line in lines]
    settings = read_settings(write(tmp_path, "\n".join(switched_on)), {})
    plain = read_settings(write(tmp_path, example()), {})
    assert settings == plain


def test_an_unknown_key_is_refused_with_a_hint(tmp_path: Path) -> None:
    file = write(tmp_path, "[receive]\nmaximum_asociations = 3\n")
    with pytest.raises(SettingsError, match="did you mean maximum_associations"):
        read_settings(file, {})


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    file = write(
        tmp_path, '[receive]\nport = -1\n[[peer]]\nname = "a"\nae_title = "toolongaetitle17ch"\n'
    )
    with pytest.raises(SettingsError) as caught:
        read_settings(file, {})
    for key in ("receive.port", 'peer "a": ae_title', 'peer "a": networks'):
        assert key in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[receive\n", "not valid TOML"),
        ('[[peer]]\nname="a"\nae_title="A"\nnetworks=["10.0.0.300/8"]\n', 'peer "a": networks[0]'),
        (
            '[[destination]]\nname="a"\nhost="h"\nport=1\nae_title="A"\n' * 2,
            "used twice: a",
        ),
        ('[[destination]]\nname="a"\nhost="h"\nport=1\nae_title="A"\nkinds=["XML"]\n', "kinds"),
    ],
)
def test_wrong_values_say_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(write(tmp_path, text), {})
    assert says in str(caught.value)


def test_a_missing_file_says_where_to_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"node\.example\.toml"):
        read_settings(tmp_path / "none.toml", {})


def test_the_environment_wins_and_origins_tell(tmp_path: Path) -> None:
    file = write(tmp_path, "[receive]\nport = 104\nae_title = 'FILE'\n")
    environment = {"ECHONODE_RECEIVE__PORT": "2762", "ECHONODE_CONFIG": "x", "HOME": "/"}
    settings = read_settings(file, environment)
    assert (settings.receive.port, settings.receive.ae_title) == (2762, "FILE")
    assert origins(file, environment) == {
        "receive.port": "environment",
        "receive.ae_title": "file",
    }


def test_an_unknown_variable_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"receive\.prt: unknown key"):
        read_settings(write(tmp_path, ""), {"ECHONODE_RECEIVE__PRT": "1"})


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    """All of them: no path of the settings is relative to where a process was started."""
    tls = 'tls = { ca = "a.pem", certificate = "c.pem", key = "k.pem" }\n'
    called = f'name = "pacs"\nhost = "h"\nport = 1\nae_title = "PACS"\n{tls}'
    text = (
        '[node]\npage_font = "f.ttf"\n[storage]\nspool_dir = "s"\n'
        + TLS
        + 'crl = "crl.pem"\n'
        + CART
        + 'tls = { ca = "cart.pem" }\n[[pipeline]]\nbundle = "b"\n'
        + "".join(f"[[{table}]]\n{called}" for table in ("destination", "archive", "work_list"))
        + f'[[audit_repository]]\nname = "a"\nhost = "h"\n{tls}'
    )
    paths = list(paths_in(read_settings(write(tmp_path, text), {})))
    assert len(paths) == 21
    assert not [path for path in paths if not path.is_relative_to(tmp_path)]


def paths_in(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    for item in value if isinstance(value, tuple) else ():
        yield from paths_in(item)
    for key in type(value).model_fields if isinstance(value, Section) else ():
        yield from paths_in(getattr(value, key))


def test_the_database_and_the_spool_are_in_the_folder_of_the_state(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, '[[pipeline]]\nbundle = "b"\n'), {})
    assert settings.pipeline[0].bundle == tmp_path / "b"
    assert settings.database_url == f"sqlite:///{tmp_path}/state/node.db"
    assert settings.spool_dir == tmp_path / "state" / "spool"


TLS = '[receive]\ntls_port = 2762\n[tls]\ncertificate = "n.pem"\nkey = "n.key"\nca = "ca.pem"\n'
CART = '[[peer]]\nname = "cart"\nae_title = "CART"\nnetworks = ["10.0.0.1/32"]\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[receive]\nport = 0\n", "nobody can connect"),
        ("[receive]\ntls_port = 2762\n", "tls.certificate and tls.key"),
        (TLS + CART + "tls = true\n", "which certificate is its own"),
        (TLS + CART + "tls = {}\n", "which certificate is its own"),
        (TLS + CART + "tls = 3\n", "write true, false, or a table"),
        (TLS.replace("2762", "0") + CART + 'tls = { name = "cart" }\n', "tls_port is 0"),
        (TLS.replace("[tls]", "port = 0\n[tls]") + CART, "cart can never connect"),
        (
            TLS.replace('ca = "ca.pem"', "") + CART + 'tls = { name = "c" }\n',
            "no authority to trust",
        ),
        (TLS + CART + 'tls = { fingerprints = ["12:34"] }\n', "64 hexadecimal digits"),
        (TLS + CART + 'tls = { name = "c", mutual = false }\n', "for DICOMweb only"),
        (TLS + CART + 'tls = { name = "c", key = "k" }\n', "belong together"),
        (
            TLS + CART + 'tls = { nam = "c" }\n',
            'peer "cart": tls.nam: unknown key; did you mean name',
        ),
    ],
)
def test_tls_that_would_not_protect_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(write(tmp_path, text), {})
    assert says in str(caught.value)


def test_fingerprints_are_taken_as_openssl_prints_them(tmp_path: Path) -> None:
    printed = ":".join(["AB"] * 32)
    text = TLS + CART + f'tls = {{ fingerprints = ["{printed}"] }}\n'
    tls = read_settings(write(tmp_path, text), {}).peer[0].tls
    assert tls is not None
    assert tls.fingerprints == ("ab" * 32,)


def test_a_file_with_a_password_must_be_closed_to_other_users(tmp_path: Path) -> None:
    secret = '[storage]\ndatabase_url = "postgresql+psycopg://node:secret@db/node"\n'
    file = write(tmp_path, secret)
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod o=") as caught:
        read_settings(file, {})
    assert "secret" not in str(caught.value)
    file.chmod(0o640)
    assert read_settings(file, {}).database_url.endswith("@db/node")
    file.write_text(secret.replace(":secret", ""), "utf-8")
    file.chmod(0o644)
    read_settings(file, {})


PACS = 'host = "h"\nport = 104\nae_title = "PACS"\n'
WEB = 'url = "https://h/dicom-web"\n'
RIS = 'protocol = "hl7"\nhost = "h"\nport = 2575\n'


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (PACS, ("SR", "SC", "KOS")),
        (PACS + 'kinds = ["SR", "PDF"]\n', ("SR", "PDF")),
        (WEB + 'bearer_token = "t"\n', ("SR", "SC", "KOS")),
        (WEB + 'user = "u"\npassword = "p"\n', ("SR", "SC", "KOS")),
        (RIS + 'receiving_application = "RIS"\n', ("ORU",)),
    ],
)
def test_a_destination_is_a_node_a_web_service_or_a_ris(
    tmp_path: Path, text: str, kinds: tuple[str, ...]
) -> None:
    file = write(tmp_path, f'[[destination]]\nname = "d"\n{text}')
    file.chmod(0o600)
    assert read_settings(file, {}).destination[0].kinds == kinds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "give host, port and ae_title, or the url"),
        (PACS + WEB, "either a url, or host"),
        (RIS + WEB.replace("https", "http"), "either a url, or host"),
        (RIS + 'ae_title = "A"\n', "no AE title"),
        ('protocol = "hl7"\n' + WEB, "needs host and port, and no url"),
        (RIS + 'kinds = ["SR"]\n', "goes with protocol"),
        (PACS + 'kinds = ["ORU"]\n', "goes with protocol"),
        (PACS + 'receiving_facility = "H"\n', "are for HL7"),
        (PACS + 'bearer_token = "t"\n', "give a url"),
        (WEB + 'bearer_token = "t"\nuser = "u"\npassword = "p"\n', "either a password or"),
        (WEB + 'password = "p"\n', "belong together"),
        (WEB.replace("https", "http") + 'bearer_token = "t"\n', "by https only"),
        ('url = "ftp://h"\n', "begins with https"),
        (WEB + 'tls = { name = "n" }\n', "give tls.ca"),
    ],
)
def test_a_destination_that_cannot_be_meant_so_is_refused(
    tmp_path: Path, text: str, says: str
) -> None:
    file = write(tmp_path, f'[[destination]]\nname = "d"\n{text}')
    file.chmod(0o600)
    with pytest.raises(SettingsError) as caught:
        read_settings(file, {})
    assert says in str(caught.value)


ARCHIVE = '[[archive]]\nname = "pacs"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "host, port and ae_title, or the url"),
        ('host = "h"\nport = 104\n', "host, port and ae_title, or the url"),
        ('url = "https://h/"\nae_title = "PACS"\n', "either a url"),
        ('url = "https://h/"\nretrieve = "get"\n', "goes with a url"),
        ('host = "h"\nport = 104\nae_title = "PACS"\nretrieve = "wado"\n', "goes with a url"),
        ('url = "http://h/"\nbearer_token = "x"\n', "https"),
        ('url = "https://h/"\nuser = "me"\n', "both or none"),
    ],
)
def test_an_archive_is_reached_in_one_way_and_its_secret_stays_one(
    tmp_path: Path, text: str, says: str
) -> None:
    file = write(tmp_path, ARCHIVE + text)
    file.chmod(0o600)
    with pytest.raises(SettingsError, match=says):
        read_settings(file, {})


def test_a_file_with_a_token_must_be_closed_to_other_users(tmp_path: Path) -> None:
    file = write(tmp_path, ARCHIVE + 'url = "https://h/"\nbearer_token = "t0ken"\n')
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod o=") as caught:
        read_settings(file, {})
    assert "t0ken" not in str(caught.value)
    file.chmod(0o600)
    archive = read_settings(file, {}).archive[0]
    assert archive.way == "wado"
    assert "t0ken" not in repr(archive)


@pytest.mark.parametrize(
    ("tls", "shown"),
    [
        ("", None),
        ("tls = true\n", "n.pem"),
        ('tls = { certificate = "own.pem", key = "own.key" }\n', "own.pem"),
        ("tls = { mutual = false }\n", None),
    ],
)
def test_a_web_service_is_shown_the_certificate_that_its_table_says(
    tmp_path: Path, tls: str, shown: str | None
) -> None:
    settings = read_settings(write(tmp_path, TLS + ARCHIVE + 'url = "https://h/"\n' + tls), {})
    service = partners.web_service(settings, settings.archive[0])
    assert service.certificate == (tmp_path / shown if shown else None)
    assert service.ca == tmp_path / "ca.pem"


def test_secrets_among_a_pipelines_options_are_secrets(tmp_path: Path) -> None:
    text = '[[pipeline]]\nbundle = "b"\n[pipeline.options]\nlevel = 3\nservice.api_token = "t0k"\n'
    file = write(tmp_path, text)
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod o="):
        read_settings(file, {})
    file.chmod(0o600)
    shown = CliRunner().invoke(cli, ["config", "show", "--config", str(file)]).output
    assert "pipeline[0].options.level = 3  (file)" in shown
    assert "pipeline[0].options.service.api_token = (hidden)  (file)" in shown
    assert "t0k" not in shown


def peer(name: str, title: str, networks: str, more: str = "") -> str:
    return f'[[peer]]\nname = "{name}"\nae_title = "{title}"\nnetworks = [{networks}]\n{more}\n'


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (
            "10.1.2.3/24",
            'names one address inside a network: write "10.1.2.0/24" for the whole network, or',
        ),
        (
            "2001:db8::1/32",
            'write "2001:db8::/32" for the whole network, or "2001:db8::1/128" for this address',
        ),
        ("cart.local", "'cart.local' is not a network: write"),
        ("10.0.0.0/33", "is not a network"),
        ("", "is not a network"),
    ],
)
def test_a_wrong_network_says_what_to_write(tmp_path: Path, network: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(write(tmp_path, peer("cart-1", "CART", f'"{network}"')), {})
    assert says in str(caught.value)
    assert 'peer "cart-1": networks[0]: ' in str(caught.value)
    assert "1 problem(s)" in str(caught.value), "nobody is told that nothing was given"


def test_a_list_that_must_hold_something_says_so_when_it_is_empty(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='peer "cart-1": networks: is empty: give at'):
        read_settings(write(tmp_path, peer("cart-1", "CART", "")), {})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('"10.0.0.0/8"', '"10.1.2.3/32"'),
        ('"10.1.2.3/32"', '"10.1.2.3/32"'),
        ('"192.168.0.0/24", "10.1.2.3/32"', '"10.0.0.0/8"'),
        ('"::/0"', '"2001:db8::1/128"'),
    ],
)
def test_peers_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, first: str, second: str
) -> None:
    text = peer("mri", "CART", first) + peer("echo", " CART ", second)
    with pytest.raises(SettingsError, match="peers mri and echo have the same AE title CART"):
        read_settings(write(tmp_path, text), {})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("CART", '"10.0.0.1/32"'), ("CART", '"10.0.0.2/32"')),
        (("CART", '"10.0.0.0/8"'), ("CART2", '"10.0.0.0/8"')),
        (("CART", '"0.0.0.0/0"'), ("CART", '"::/0"')),
    ],
)
def test_peers_that_differ_in_title_or_network_are_two(
    tmp_path: Path, one: tuple[str, str], other: tuple[str, str]
) -> None:
    settings = read_settings(write(tmp_path, peer("a", *one) + peer("b", *other)), {})
    assert len(settings.peer) == 2


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("", 'tls = { name = "a" }', True),
        ('tls = { name = "a" }', 'tls = { name = "b" }', True),
        ('tls = { name = "a" }', 'tls = { name = "A" }', False),
        ('tls = { ca = "a.pem" }', 'tls = { ca = "b.pem" }', True),
        ('tls = { name = "a" }', 'tls = { ca = "b.pem" }', False),
    ],
)
def test_peers_of_one_title_and_network_are_told_apart_by_their_certificates(
    tmp_path: Path, one: str, other: str, apart: bool
) -> None:
    text = '[receive]\ntls_port = 2762\n[tls]\ncertificate = "n"\nkey = "k"\nca = "c"\n'
    network = '"10.0.0.0/8"'
    text += peer("a", "CART", network, one) + peer("b", "CART", network, other)
    if apart:
        read_settings(write(tmp_path, text), {})
    else:
        with pytest.raises(SettingsError, match="cannot tell them apart"):
            read_settings(write(tmp_path, text), {})


def test_one_pipeline_may_run_with_two_bundles_and_one_of_them_reports(tmp_path: Path) -> None:
    entry = '[[pipeline]]\nname = "{}"\nbundle = "b"\n{}\n'
    shadow = entry.format("x@new", "reports = false")
    settings = read_settings(write(tmp_path, entry.format("x", "") + shadow), {})
    assert [(item.name, item.reports) for item in settings.pipeline] == [
        ("x", True),
        ("x@new", False),
    ]
    with pytest.raises(SettingsError, match="set reports = false in all but one"):
        read_settings(write(tmp_path, entry.format("x", "") + entry.format("x@new", "")), {})

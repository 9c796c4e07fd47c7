"""What is found out about the server's own certificates before it starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edge.flags.gflags import parse
from edge.runtime.own_certificates import check_own_certificates


def findings(*arguments: str) -> list[str]:
    parsed = parse(arguments)
    assert parsed.problems == []
    return [str(problem) for problem in check_own_certificates(parsed, 60.0)]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two self-signed pairs, and a key under a passphrase."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, protection in (("a", ["-nodes"]), ("b", ["-nodes"]), ("locked", ["-passout", "pass:secret"])):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *protection]
        command += ["-subj", "/CN=test", "-days", "2", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30)
    (folder / "garbage.pem").write_text("no certificate")
    return folder


def tls_findings(folder: Path, certificate: str, key: str) -> list[str]:
    return findings("-https", f"-certificate={folder / certificate}", f"-private_key={folder / key}")


def test_a_matching_certificate_passes(certificates: Path) -> None:
    assert tls_findings(certificates, "a.pem", "a.key") == []


@pytest.mark.parametrize(
    ("certificate", "key", "text"),
    [
        ("none.pem", "a.key", "none.pem: No such file or directory"),
        ("a.pem", "none.key", "none.key: No such file or directory"),
        ("a.pem", "b.key", "b.key: not the key of the first certificate in "),
        ("garbage.pem", "a.key", "-certificate={folder}/garbage.pem: no certificate in PEM form"),
        ("a.pem", "garbage.pem", "-private_key={folder}/garbage.pem: no private key in PEM form"),
        ("a.key", "a.pem", "the files are swapped"),
        ("locked.pem", "locked.key", "passphrase"),
    ],
)
def test_S6_unusable_certificates_at_start(certificates: Path, certificate: str, key: str, text: str) -> None:
    (finding,) = tls_findings(certificates, certificate, key)
    assert text.format(folder=certificates) in finding


def test_S6_missing_files_are_blamed_on_the_flag_that_asks_for_them() -> None:
    assert findings("-https") == [
        "command line: -certificate=./cert.pem: No such file or directory",
        "command line: -private_key=./key.pem: No such file or directory",
    ]


def test_S6_each_pair_of_a_list_is_looked_at(certificates: Path) -> None:
    def found(certificate: str, key: str) -> list[str]:
        lists = [",".join(str(certificates / name) for name in names.split(",")) for names in (certificate, key)]
        return findings("-https", f"-certificate={lists[0]}", f"-private_key={lists[1]}")

    assert found("a.pem,b.pem", "a.key,b.key") == []
    (finding,) = found("a.pem,b.pem", "a.key,a.key")
    assert finding.startswith(f"command line: -private_key={certificates / 'a.key'}: not the key of ")
    assert finding.endswith("b.pem")
    assert len(found("a.pem,none.pem,garbage.pem", "none.key,a.key,a.key")) == 3
    (finding,) = found("a.pem,b.pem", "a.key")
    assert "-certificate names 2 files and -private_key 1" in finding
    (finding,) = found("a.pem", ".")
    assert finding.endswith("Is a directory")


def test_a_certificate_that_expires_soon_is_a_warning_of_the_check_only(certificates: Path) -> None:
    arguments = ("-https", f"-certificate={certificates / 'a.pem'}", f"-private_key={certificates / 'a.key'}")
    (finding,) = findings("-check", *arguments)
    assert finding.startswith(
        f"command line: warning: -certificate={certificates / 'a.pem'}: the certificate expires on "
    )
    assert findings(*arguments) == findings("-check", *arguments[1:]) == []


def test_S6_a_comma_too_many(certificates: Path) -> None:
    pair = (f"-certificate={certificates / 'a.pem'},", f"-private_key={certificates / 'a.key'},")
    assert findings("-https", *pair) == [
        "command line: -certificate=: a comma too many",
        "command line: -private_key=: a comma too many",
    ]

from __future__ import annotations

import inspect

import pytest

from edge import errors


def test_text_is_reason_and_detail() -> None:
    assert str(errors.ChunkError("message of 9 bytes exceeds 8")) == "chunk: message of 9 bytes exceeds 8"
    assert str(errors.NoServerError()) == "no_server"


def test_a_reason_may_be_given_for_one_error() -> None:
    error = errors.CommandError("name of 600 bytes", reason="bad_name", is_quiet=True, offset=77)
    assert (error.reason, error.is_quiet, error.offset) == ("bad_name", True, 77)
    assert (errors.CommandError.reason, errors.CommandError().is_quiet) == ("command", False)


def test_probes_and_scanners_are_quiet() -> None:
    assert errors.HandshakeError().is_quiet
    assert not errors.ChunkError().is_quiet


@pytest.mark.parametrize(
    "kind", [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.EdgeError)]
)
def test_reasons_can_stand_in_the_name_of_a_counter(kind: type[errors.EdgeError]) -> None:
    assert kind.reason.replace("_", "a").isalnum()
    assert kind.reason == kind.reason.lower()
    assert kind is errors.EdgeError or kind.__name__.endswith("Error")

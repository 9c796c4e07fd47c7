from __future__ import annotations

import pytest

from edge.builtin.addresses import host_vhost, player_page
from edge.builtin.page import Visit
from tests.builtin import sample


@pytest.mark.parametrize(("host", "vhost"), [("10.0.0.1", "_"), ("media1", "_"), ("V.example", "v.example"), ("", "_")])
def test_a_name_in_place_of_an_address_is_a_vhost(host: str, vhost: str) -> None:
    assert host_vhost(sample.ADDRESSES, Visit(host)) == vhost


def test_page_of_a_stream_names_the_vhost_unless_the_host_does() -> None:
    assert player_page(sample.stream(), "_") == "/play/live/a"
    assert player_page(sample.stream(vhost="v.example"), "_") == "/play/live/a?vhost=v.example"
    assert player_page(sample.stream("a b?#/é", vhost=""), "_") == "/play/live/a%20b%3F%23/%C3%A9"
    assert "<" not in player_page(sample.stream(sample.EVIL, app=sample.EVIL, vhost=sample.EVIL), "_")

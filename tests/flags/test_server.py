"""The flags of this area become the frozen settings."""

from __future__ import annotations

from edge.flags.gflags import parse
from edge.flags.registry import new_flags
from edge.flags.server import net_config
from edge.net.config import NetConfig


def test_the_defaults_of_the_flags_are_those_of_the_settings() -> None:
    assert net_config(new_flags()) == NetConfig()


def test_lists_become_tuples() -> None:
    config = net_config(parse(["-listen=1935,19350", "-bind=127.0.0.1,[::1]"]).flags)
    assert config.listen == (1935, 19350)
    assert config.bind == ("127.0.0.1", "[::1]")


def test_T4_Y13_the_kernel_never_gives_up_on_a_player_before_us() -> None:
    assert net_config(parse(["-send_timeout_ms=60000"]).flags).tcp_user_timeout_ms == 60000
    assert net_config(parse(["-tcp_user_timeout_ms=70000"]).flags).tcp_user_timeout_ms == 70000
    assert net_config(parse(["-tcp_user_timeout_ms=0"]).flags).tcp_user_timeout_ms == 0

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.registry import Registry
from edge.hub.rules import HubAlone


@dataclass(frozen=True)
class Other:
    """Of another room."""

    value: int = 3


def test_of_a_stream_by_itself_only_the_hubs_settings_are_told() -> None:
    rules = HubAlone(HubConfig(queue_length_s=9))
    assert rules.of(HubConfig).queue_length_s == 9
    assert rules.of(Other) == Other()


def test_streams_have_the_rules_of_their_key_and_only_those_with_others_are_told() -> None:
    rules = {"a": HubAlone(HubConfig(queue_length_s=1)), "b": HubAlone(HubConfig(queue_length_s=2))}
    numbers = count(1)
    hub = Registry(lambda key: rules[key.vhost], new_id=lambda: f"e{next(numbers)}", wall_ms=lambda: 0)
    streams = [hub.find_or_create(StreamKey(vhost, "live", "s"), 0) for vhost in "ab"]
    assert [stream.config.queue_length_s for stream in streams] == [1, 2]
    rules["b"] = HubAlone(HubConfig(queue_length_s=3))
    assert hub.reconfigure() == streams[1:]
    assert [stream.config.queue_length_s for stream in streams] == [1, 3]
    assert streams[1].rules is rules["b"]

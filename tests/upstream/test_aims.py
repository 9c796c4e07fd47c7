from __future__ import annotations

from edge.upstream.aims import Aims
from edge.upstream.config import UpstreamConfig
from edge.upstream.target import Target


def config(proxy_to: str) -> UpstreamConfig:
    return UpstreamConfig(proxy_to=proxy_to)


def target(of: UpstreamConfig) -> Target | None:
    return None if of.proxy_to == "bad" else Target(of.proxy_to, of.proxy_lb, of)


class Made:
    """Aims, and what they have made."""

    def __init__(self, root: str, *, is_front: bool = False) -> None:
        self.new: list[Target] = []
        self.pull = target(config(root)) if root else None
        self.push = target(config("10.0.0.9:1")) if is_front else self.pull
        self.aims = Aims(
            config(root), self.pull, self.push, new_target=target, on_new=self.new.append, is_front=is_front
        )


def test_streams_whose_vhost_says_nothing_else_go_where_those_of_the_process_go() -> None:
    made = Made("10.0.0.1:1")
    assert made.aims.pull_of(config("10.0.0.1:1")) is made.pull is made.aims.push_of(config("10.0.0.1:1"))
    assert (made.new, list(made.aims)) == ([], [made.pull])


def test_vhosts_with_the_same_upstream_share_its_target() -> None:
    made = Made("")
    one, other = made.aims.pull_of(config("10.0.0.2:1")), made.aims.push_of(config("10.0.0.2:1"))
    assert one is other
    assert made.new == [one]
    assert made.aims.pull_of(config("10.0.0.3:1")) is not one
    assert made.aims.pull_of(config("")) is None


def test_a_vhost_of_an_edge_may_have_its_origin_here() -> None:
    made = Made("10.0.0.1:1")
    assert made.aims.pull_of(config("")) is None
    assert made.aims.push_of(config("")) is None


def test_a_front_pulls_from_its_merge_tier_whatever_the_vhost() -> None:
    made = Made("10.0.0.1:1", is_front=True)
    assert made.aims.pull_of(config("10.0.0.2:1")) is made.pull
    assert made.aims.push_of(config("10.0.0.1:1")) is made.push
    assert made.aims.push_of(config("")) is made.pull
    pushed = made.aims.push_of(config("10.0.0.2:1"))
    assert [pushed] == made.new


def test_what_cannot_be_used_is_tried_again_and_is_no_target() -> None:
    made = Made("")
    assert made.aims.pull_of(config("bad")) is None
    assert list(made.aims) == []


def test_targets_stay_as_long_as_a_link_uses_them_or_settings_name_them() -> None:
    made = Made("10.0.0.1:1")
    used, named, left = (made.aims.pull_of(config(f"10.0.0.{n}:1")) for n in (2, 3, 4))
    assert used is not None
    assert made.aims.take_unused([]) == []
    made.aims.keep([config("10.0.0.3:1")])
    assert made.aims.take_unused([used]) == [left]
    assert list(made.aims) == [made.pull, used, named]
    assert made.aims.take_unused([]) == [used]
    assert list(made.aims) == [made.pull, named]


def test_other_flags_of_the_process_are_its_targets_matter() -> None:
    made = Made("10.0.0.1:1")
    own = made.aims.pull_of(config("10.0.0.2:1"))
    made.aims.reconfigure(config("10.0.0.2:1"))
    made.aims.keep([config("10.0.0.2:1")])
    assert made.aims.pull_of(config("10.0.0.2:1")) is made.pull
    assert made.aims.take_unused([]) == [own]

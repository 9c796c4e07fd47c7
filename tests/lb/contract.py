"""What every balancer must do: inherit ``BalancerContract`` and name the balancer."""

from __future__ import annotations

import random

import pytest

from lb import registry
from lb.base import LoadBalancer, SelectRequest
from naming.node import ServerNode

SERVERS = tuple(ServerNode("127.0.0.1", port, "1") for port in range(8001, 8006))


class BalancerContract:
    """``spec`` is what ``lb.registry.create`` takes."""

    spec = ""

    @pytest.fixture
    def balancer(self) -> LoadBalancer:
        return registry.create(self.spec, entropy=random.Random(1).randrange)

    def test_is_registered(self) -> None:
        assert registry.is_known(self.spec)

    def test_nobody_in_an_empty_list(self, balancer: LoadBalancer) -> None:
        assert balancer.select([], SelectRequest(code=7)) is None

    def test_single_server_is_always_chosen(self, balancer: LoadBalancer) -> None:
        only = SERVERS[:1]
        for code in range(5):
            assert balancer.select(only, SelectRequest(code, excluded=frozenset(only))) == only[0]

    def test_choices_come_from_the_list_as_it_grows_and_shrinks(self, balancer: LoadBalancer) -> None:
        for count in (5, 1, 3, 2, 5, 4):
            for code in range(20):
                assert balancer.select(SERVERS[:count], SelectRequest(code * 99991)) in SERVERS[:count]

    def test_down_servers_are_never_chosen(self, balancer: LoadBalancer) -> None:
        down = frozenset(SERVERS[1:4])
        for code in range(50):
            assert balancer.select(SERVERS, SelectRequest(code * 99991, unavailable=down)) not in down

    def test_nobody_when_all_are_down(self, balancer: LoadBalancer) -> None:
        assert balancer.select(SERVERS, SelectRequest(1, unavailable=frozenset(SERVERS))) is None

    def test_tried_servers_are_stepped_over_while_another_is_up(self, balancer: LoadBalancer) -> None:
        tried, down = frozenset(SERVERS[:3]), frozenset(SERVERS[3:4])
        for code in range(50):
            assert balancer.select(SERVERS, SelectRequest(code * 99991, tried, down)) == SERVERS[4]

    def test_a_tried_server_is_better_than_none(self, balancer: LoadBalancer) -> None:
        down = frozenset(SERVERS[1:])
        for code in range(50):
            assert balancer.select(SERVERS, SelectRequest(code * 99991, frozenset(SERVERS), down)) == SERVERS[0]

    def test_feedback_is_taken_for_any_server(self, balancer: LoadBalancer) -> None:
        balancer.feedback(ServerNode("10.9.9.9", 1), 12.5, False)
        server = balancer.select(SERVERS, SelectRequest(1))
        assert server is not None
        balancer.feedback(server, 0.5, True, 1000)

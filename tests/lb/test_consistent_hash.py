"""``c_murmurhash``, ``c_md5``, ``c_ketama``: the rings of brpc."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable

import mmh3
import pytest

from lb import registry
from lb.base import BalancerError, SelectRequest
from lb.consistent_hash import Ring, ketama_points, md5_points, murmur_points
from naming.node import ServerNode
from tests.lb.contract import BalancerContract

ONE, TWO, THREE = THREE_SERVERS = tuple(ServerNode("127.0.0.1", port) for port in (8001, 8002, 8003))
NAMES = ("c_murmurhash", "c_md5", "c_ketama")
CODES = [mmh3.hash(f"_/live/stream{number}", 0, signed=False) for number in range(10000)]


class TestMurmurHash(BalancerContract):
    spec = "c_murmurhash"


class TestMd5(BalancerContract):
    spec = "c_md5"


class TestKetama(BalancerContract):
    spec = "c_ketama"


class TestBoundedLoad(BalancerContract):
    spec = "c_murmurhash:load_factor=1.25 replicas=20"


def port_of(server: ServerNode | None) -> int:
    assert server is not None
    return server.port


def test_points_are_those_of_the_reference() -> None:
    assert list(murmur_points("127.0.0.1:8001", 4)) == [1900897487, 3660619234, 611552809, 310714618]
    assert list(murmur_points("127.0.0.1:8002", 3)) == [4105661444, 787524541, 4150908438]
    assert list(murmur_points("127.0.0.1:8003", 3)) == [2118512566, 107279634, 2128969036]
    assert list(md5_points("127.0.0.1:8001", 4)) == [689252625, 2374414775, 3514625584, 1496689516]
    assert list(md5_points("127.0.0.1:8002", 3)) == [124053744, 1804108631, 2452307938]
    assert list(md5_points("127.0.0.1:8003", 3)) == [227570088, 3963699978, 1908303208]
    assert list(ketama_points("127.0.0.1:8001", 4)) == [689252625, 3085974854, 3665649827, 4237821004]
    assert list(ketama_points("127.0.0.1:8002", 4)) == [124053744, 376647592, 290552868, 2075888513]
    assert list(ketama_points("127.0.0.1:8003", 4)) == [227570088, 2889859322, 646736833, 1868060311]
    assert next(murmur_points("127.0.0.1:7035", 1)) == 3230772754
    assert list(murmur_points("127.0.0.1:7035", 100))[99] == 1299554869
    assert next(md5_points("127.0.0.1:7035", 1)) == 4105033510


OWNERS = [
    (0, "8003/8002", "8002/8003", "8003/8002"),
    (1, "8003/8002", "8002/8003", "8003/8002"),
    (1000000000, "8002/8003", "8002/8003", "8003/8001"),
    (2147483648, "8002/8001", "8003/8001", "8003/8001"),
    (3000000000, "8001/8002", "8002/8001", "8002/8001"),
    (4000000000, "8003/8002", "8003/8002", "8001/8003"),
    (4294967295, "8003/8002", "8002/8003", "8003/8002"),
    (789854813, "8003/8002", "8002/8003", "8002/8003"),
    (151390162, "8001/8003", "8001/8002", "8001/8002"),
    (613153351, "8002/8001", "8001/8003", "8003/8001"),
]


@pytest.mark.parametrize("row", OWNERS)
def test_owners_and_followers_are_those_of_the_reference(row: tuple[int, str, str, str]) -> None:
    code, *cells = row
    for name, cell in zip(NAMES, cells, strict=True):
        balancer = registry.create(name)
        owner = balancer.select(THREE_SERVERS, SelectRequest(code))
        assert owner is not None
        gone = frozenset([owner])
        for request in (SelectRequest(code, excluded=gone), SelectRequest(code, unavailable=gone)):
            assert f"{owner.port}/{port_of(balancer.select(THREE_SERVERS, request))}" == cell


@pytest.mark.parametrize(
    ("points", "first", "last", "shares"),
    [
        (
            murmur_points,
            [(18030251, 8003), (20502273, 8002), (20528114, 8003), (23970947, 8002)],
            [(4252083512, 8002), (4270184934, 8001)],
            (0.30819, 0.31951, 0.37230),
        ),
        (
            md5_points,
            [(5759354, 8002), (6610532, 8003), (19885071, 8002), (24960250, 8001)],
            [(4277683034, 8001)],
            (0.32359, 0.38340, 0.29301),
        ),
        (
            ketama_points,
            [(6610532, 8003), (19885071, 8002), (33786960, 8001), (75792811, 8002)],
            [(4276472553, 8001)],
            (0.28493, 0.31932, 0.39575),
        ),
    ],
)
def test_rings_are_those_of_the_reference(
    points: Callable[[str, int], object],
    first: list[tuple[int, int]],
    last: list[tuple[int, int]],
    shares: tuple[float, ...],
) -> None:
    ring = Ring(THREE_SERVERS, points, 100)
    nodes = [(point, owner.port) for point, owner in zip(ring.hashes, ring.owners, strict=True)]
    assert len(set(ring.hashes)) == 300
    assert nodes[: len(first)] == first and nodes[-len(last) :] == last
    arcs: Counter[int] = Counter()
    for before, (point, port) in zip([nodes[-1][0] - 2**32, *ring.hashes], nodes, strict=False):
        arcs[port] += point - before
    assert [round(arcs[port] / 2**32, 5) for port in (8001, 8002, 8003)] == list(shares)


def test_ring_of_three_replicas() -> None:
    ring = Ring(THREE_SERVERS, murmur_points, 3)
    assert [owner.port % 10 for owner in ring.owners] == [3, 1, 2, 1, 3, 3, 1, 2, 2]
    balancer = registry.create("c_murmurhash:replicas=3")
    for code, port in [(1900897487, 8001), (1900897488, 8003), (700000000, 8002), (4294967295, 8003)]:
        assert port_of(balancer.select(THREE_SERVERS, SelectRequest(code))) == port


def reference_owner(name: str, servers: list[ServerNode], code: int) -> ServerNode:
    """The owner by the definition: the smallest distance from the code forwards, over all points."""
    best: tuple[int, int, ServerNode] | None = None
    for rank, server in enumerate(servers):
        for point in reference_points(name, server):
            candidate = ((point - code) % 2**32, rank, server)
            if best is None or candidate[:2] < best[:2]:
                best = candidate
    assert best is not None
    return best[2]


def reference_points(name: str, server: ServerNode) -> list[int]:
    if name == "c_murmurhash":
        return POINTS.setdefault(
            (name, server), [mmh3.hash(f"{server.endpoint}-{index}", signed=False) for index in range(20)]
        )
    found = []
    for index in range(20 if name == "c_md5" else 5):
        digest = hashlib.md5(f"{server.endpoint}-{index}".encode()).digest()
        for start in range(0, 4 if name == "c_md5" else 16, 4):
            found.append(int.from_bytes(digest[start : start + 4], "little"))
    return POINTS.setdefault((name, server), found)


POINTS: dict[tuple[str, ServerNode], list[int]] = {}


@pytest.mark.parametrize("name", NAMES)
def test_mixed_fleet_agrees_on_10000_keys(name: str) -> None:
    # Already in brpc's order, where the last octet of an IPv4 address weighs most.
    fleet = [
        ServerNode("10.0.0.1", 1935),
        ServerNode("10.0.1.1", 1935, "3"),
        ServerNode("10.0.0.2", 8079),
        ServerNode("192.0.2.250", 80),
        ServerNode("fd00::1", 1935),
    ]
    points = sorted((point, rank) for rank, server in enumerate(fleet) for point in reference_points(name, server))
    balancer = registry.create(f"{name}:replicas=20")
    shuffled = tuple(reversed(fleet))
    for number, code in enumerate(CODES):
        chosen = balancer.select(shuffled, SelectRequest(code))
        owner = next((rank for point, rank in points if point >= code), points[0][1])
        assert chosen == fleet[owner]
        if number % 500 == 0:
            assert chosen == reference_owner(name, fleet, code)


def test_smaller_tag_owns_the_points_of_a_shared_endpoint() -> None:
    pair = (ServerNode("10.0.0.1", 1, "b"), ServerNode("10.0.0.1", 1, "a"))
    for name in NAMES:
        balancer = registry.create(name)
        assert {balancer.select(pair, SelectRequest(code)) for code in CODES[:50]} == {pair[1]}
        assert balancer.select(pair, SelectRequest(5, frozenset(pair[1:]))) == pair[0]


@pytest.mark.parametrize("name", NAMES)
def test_removal_moves_only_the_keys_of_the_removed(name: str) -> None:
    servers = tuple(ServerNode("10.0.0.9", port) for port in range(1, 9))
    balancer = registry.create(name)
    before = [balancer.select(servers, SelectRequest(code)) for code in CODES]
    for removed in servers[::3]:
        left = tuple(server for server in servers if server != removed)
        after = [balancer.select(left, SelectRequest(code)) for code in CODES]
        moved = [owner for owner, now in zip(before, after, strict=True) if owner != now]
        assert set(moved) == {removed}
        # A share is 1/8 give or take how evenly 100 points lie.
        assert len(moved) / len(CODES) <= 1 / 8 + 0.04


def test_removal_moves_no_more_than_its_share_with_many_points() -> None:
    servers = tuple(ServerNode("10.0.0.9", port) for port in range(1, 9))
    for name in NAMES:
        balancer = registry.create(f"{name}:replicas=1000")
        before = [balancer.select(servers, SelectRequest(code)) for code in CODES]
        after = [balancer.select(servers[1:], SelectRequest(code)) for code in CODES]
        moved = sum(owner != now for owner, now in zip(before, after, strict=True))
        assert 0 < moved / len(CODES) <= 1 / 8 + 0.02


def test_ring_is_built_once_per_list(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    class CountedRing(Ring):
        def __init__(self, servers: tuple[ServerNode, ...], *rest: object) -> None:
            built.append(servers)
            super().__init__(servers, *rest)

    monkeypatch.setattr("lb.consistent_hash.Ring", CountedRing)
    balancer = registry.create("c_md5")
    for servers in (THREE_SERVERS, THREE_SERVERS, list(THREE_SERVERS), THREE_SERVERS[:2]):
        balancer.select(servers, SelectRequest(1))
    assert built == [(), THREE_SERVERS, THREE_SERVERS[:2]]


def test_change_of_a_long_list_hashes_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    def points(endpoint: str, replicas: int) -> Iterable[int]:
        hashed.append(endpoint)
        return murmur_points(endpoint, replicas)

    monkeypatch.setattr("lb.consistent_hash.murmur_points", points)
    balancer = registry.create("c_murmurhash")
    for servers in (THREE_SERVERS, THREE_SERVERS[:2], (ServerNode(ONE.host, ONE.port, "7"), TWO), THREE_SERVERS):
        balancer.select(servers, SelectRequest(1))
    assert hashed == [ONE.endpoint, TWO.endpoint, THREE.endpoint, THREE.endpoint]
    fresh = registry.create("c_murmurhash")
    for code in CODES[:100]:
        request = SelectRequest(code)
        assert balancer.select(THREE_SERVERS, request) == fresh.select(THREE_SERVERS, request)


def test_tried_ones_are_better_than_none_and_the_last_of_the_walk_is_taken() -> None:
    balancer = registry.create("c_murmurhash:replicas=3")
    everyone = frozenset(THREE_SERVERS)
    assert balancer.select(THREE_SERVERS, SelectRequest(0, excluded=everyone)) == TWO


def test_load_factor_spreads_a_fleet_of_unequal_arcs() -> None:
    servers = tuple(ServerNode("10.0.0.9", port) for port in range(1, 6))
    for spec, most in (("c_md5:replicas=3", 1.6), ("c_md5:replicas=3 load_factor=1.25", 1.25)):
        balancer, loads = registry.create(spec), Counter[ServerNode]()
        for code in CODES[:1000]:
            server = balancer.select(servers, SelectRequest(code, loads=loads))
            assert server is not None
            loads[server] += 1
        assert (max(loads.values()) <= 1.25 * 200 + 1) is (most == 1.25)


def test_load_factor_sends_the_overflow_of_a_hot_key_to_those_that_follow() -> None:
    balancer = registry.create("c_murmurhash:load_factor=1.25")
    assert balancer.select(THREE_SERVERS, SelectRequest(0, loads={})) == THREE
    assert balancer.select(THREE_SERVERS, SelectRequest(0, loads={THREE: 1})) == TWO
    assert balancer.select(THREE_SERVERS, SelectRequest(0)) == THREE
    # The only one left takes it, full or not.
    down, tried = frozenset([ONE]), frozenset([TWO])
    assert balancer.select(THREE_SERVERS, SelectRequest(0, tried, down, loads={THREE: 99})) == THREE


def test_a_slip_in_a_parameter_is_refused() -> None:
    text = r'unknown parameter "load_facto" of load balancer "c_md5" \(valid: replicas, load_factor\)'
    with pytest.raises(BalancerError, match=text):
        registry.create("c_md5:replicas=7 load_facto=1.25")


def test_parameters() -> None:
    for text in ("0", "", "x", "-1", "10001", "²", "9" * 5000):
        with pytest.raises(BalancerError, match="is not in 1-10000"):
            registry.create(f"c_murmurhash:replicas={text}")
    with pytest.raises(BalancerError, match='replicas="6" is not a multiple of 4'):
        registry.create("c_ketama:replicas=6")
    for text in ("0.9", "x", "", "nan", "inf", "-1"):
        with pytest.raises(BalancerError, match="is not a number from 1 up"):
            registry.create(f"c_md5:load_factor={text}")

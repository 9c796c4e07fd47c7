"""Questions to DNS servers: faults, times to live."""

from __future__ import annotations

import re
import socket

import dns.asyncresolver
import dns.name
import dns.nameserver
import dns.resolver
import pytest

from naming.base import NamingError, NamingOptions
from naming.lookup import MAX_TTL_S, Lookup, parse_question
from tests.naming.dns_server import FakeDns, Rule, refusal, serving_dns


def lookup_at(fake: FakeDns, timeout_ms: int = 500) -> Lookup:
    return Lookup(parse_question(f"x?server=127.0.0.1:{fake.port}"), NamingOptions(dns_timeout_ms=timeout_ms))


def test_servers_to_ask() -> None:
    assert parse_question("a:1").servers == ()
    question = parse_question("a:1?server=127.0.0.1:5353&server=[::1]")
    assert (question.text, question.servers) == ("a:1", (("127.0.0.1", 5353), ("::1", 53)))


@pytest.mark.parametrize("name", ["a?port=1", "a?server=", "a?server=name", "a?server=127.0.0.1:0"])
def test_bad_settings(name: str) -> None:
    with pytest.raises(NamingError):
        parse_question(name)


async def test_numeric_addresses_are_not_asked_for() -> None:
    async with serving_dns() as fake:
        assert (await lookup_at(fake).addresses("::1")).records == ("::1",)
        assert (await lookup_at(fake).addresses("10.0.0.1.")).records == ("10.0.0.1",), "a target of SRV records"
        assert fake.asked == []


async def test_addresses_of_ipv4_before_those_of_ipv6() -> None:
    async with serving_dns() as fake:
        fake.rules = {
            "both A": "both 60 A 10.0.0.1\nboth 60 A 10.0.0.2",
            "both AAAA": "both 60 AAAA fd00::1",
            "six AAAA": "six 60 AAAA fd00::1",
            "alias A": "alias 30 CNAME both\nboth 60 A 10.0.0.1",
        }
        both = await lookup_at(fake).addresses("both")
        assert sorted(both.records) == ["10.0.0.1", "10.0.0.2"] and both.ttl_s == 60
        assert (await lookup_at(fake).addresses("six")).records == ("fd00::1",)
        alias = await lookup_at(fake).addresses("alias")
        assert (alias.records, alias.ttl_s) == (("10.0.0.1",), 30)


@pytest.mark.parametrize(("ttl", "seconds"), [(0, 0), (7, 7), (86400, MAX_TTL_S), (2**31, 0), (2**32 - 1, 0)])
async def test_N3_times_to_live_are_bounded(ttl: int, seconds: int) -> None:
    async with serving_dns() as fake:
        fake.rules["a A"] = f"a {ttl} A 10.0.0.1"
        assert (await lookup_at(fake).addresses("a")).ttl_s == seconds


@pytest.mark.parametrize(
    "rule",
    [
        refusal("NXDOMAIN"),
        refusal("SERVFAIL"),
        refusal("REFUSED"),
        "a 5 TXT nothing",
        lambda query: b"\x00",
        lambda query: query.pack()[:2] + b"\xff" * 40,
        lambda query: query.reply().pack()[:-3],
        lambda query: b"",
    ],
    ids=["nxdomain", "servfail", "refused", "no-data", "one-byte", "garbage", "cut", "silent"],
)
async def test_N1_N2_faults_of_the_server_are_failures_in_time(rule: Rule) -> None:
    async with serving_dns() as fake:
        fake.rules["a *"] = rule
        with pytest.raises(NamingError, match='"a"'):
            await lookup_at(fake, 200).addresses("a")
        with pytest.raises(NamingError, match='"a"'):
            await lookup_at(fake, 200).services("a")


async def test_servers_of_the_system_that_change_during_an_outage_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving_dns() as fake:
        fake.rules["a A"] = refusal("SERVFAIL")
        port = fake.port

        def configure(resolver: dns.resolver.BaseResolver, path: object) -> None:
            resolver.nameservers = [dns.nameserver.Do53Nameserver("127.0.0.1", port)]

        monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", configure)
        lookup = Lookup(parse_question("a"), NamingOptions(dns_timeout_ms=500))
        with pytest.raises(NamingError):
            await lookup.addresses("a")
        async with serving_dns() as other:
            other.rules["a A"] = "a 5 A 10.0.0.1"
            port = other.port
            assert (await lookup.addresses("a")).records == ("10.0.0.1",)


async def test_target_that_is_gone_is_not_looked_for_in_the_search_domains() -> None:
    async with serving_dns() as fake:
        fake.rules = {
            "_rtmp._tcp.live SRV": "_rtmp._tcp.live 30 SRV 10 5 1935 gone.example.com.",
            "gone.example.com.corp.test A": "gone.example.com.corp.test 30 A 10.9.9.9",
        }
        system = dns.asyncresolver.Resolver(configure=False)
        system.nameservers = [dns.nameserver.Do53Nameserver("127.0.0.1", fake.port)]
        system.search = [dns.name.from_text("corp.test")]
        system.ndots = 5  # as in the pods of Kubernetes
        lookup = Lookup(parse_question("x"), NamingOptions(dns_timeout_ms=500))
        lookup._resolver = system
        services, _ = await lookup.services("_rtmp._tcp.live")
        with pytest.raises(NamingError, match="does not exist"):
            await lookup.addresses(services[0].target)
        assert fake.asked[-1] == "gone.example.com A"


async def test_silence_of_a_dns_server_is_told_in_a_few_words() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        lookup = Lookup(parse_question(f"x?server=127.0.0.1:{port}"), NamingOptions(dns_timeout_ms=2300))
        with pytest.raises(NamingError) as caught:
            await lookup.addresses("a")
    assert re.fullmatch(
        rf'cannot resolve "a": no answer in 2\.\d s: 127\.0\.0\.1@{port} is silent', str(caught.value)
    ), caught.value

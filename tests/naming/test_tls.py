"""TLS towards registries, with servers that ask for a certificate."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from naming.base import NamingOptions
from naming.tls import TlsFileError, TlsSettings, load_context
from tests.naming.certificates import Authority, Pair
from tests.naming.programs import Etcd
from tests.naming.web import FakeWeb, following, serving

A, B = "127.0.7.1:1935 5", "127.0.7.2:1935 5"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.sign("server")


@pytest.fixture(scope="module")
def client(authority: Authority) -> Pair:
    return authority.sign("client")


def options_of(authority: Authority, pair: Pair) -> NamingOptions:
    return NamingOptions(ns_ca_file=authority.ca_file, ns_cert_file=str(pair.cert), ns_key_file=str(pair.key))


def common_name(request: web.Request) -> str:
    assert request.transport is not None
    ((((_, name),),),) = (request.transport.get_extra_info("peercert")["subject"],)
    return str(name)


async def answer_all(request: web.Request) -> web.Response:
    """One server in the form of each registry, told apart by the path."""
    if request.path == "/list":
        return web.Response(text="127.0.7.1:1935 5\n")
    if request.path.startswith("/v1/health/"):
        service = {"Address": "127.0.7.1", "Port": 1935, "Tags": ["5"]}
        return web.json_response([{"Service": service}], headers={"X-Consul-Index": "1"})
    if request.path.startswith("/nacos/"):
        host = {"ip": "127.0.7.1", "port": 1935, "weight": 5, "healthy": True, "enabled": True}
        return web.json_response({"hosts": [host]})
    if request.path == "/nodes":
        return web.json_response({"data": [{"addr": f"https://{request.host}", "status": 0}]})
    instances = [{"addrs": ["127.0.7.1:1935"], "metadata": 5}]
    return web.json_response({"data": {"live": {"instances": instances}}})


def targets(fake: FakeWeb) -> dict[str, tuple[str, dict[str, str]]]:
    return {
        "remotefile": (f"remotefile://{fake.address}/list", {}),
        "consul": ("consul://live", {"consul_agent_addr": fake.address}),
        "nacos": ("nacos://serviceName=live", {"nacos_address": fake.address}),
        "discovery": ("discovery://live", {"discovery_api_addr": f"{fake.address}/nodes"}),
    }


@pytest.mark.parametrize("scheme", ["remotefile", "consul", "nacos", "discovery"])
async def test_registry_behind_a_private_authority_that_wants_a_certificate(
    scheme: str, authority: Authority, server: Pair, client: Pair
) -> None:
    async with serving(authority.server_context(server)) as fake:
        fake.handler = answer_all
        text, more = targets(fake)[scheme]
        async with following(text, replace(options_of(authority, client), **more)) as followed:
            assert followed.servers == [A]
        for without, why in (
            ({"ns_ca_file": ""}, "self-signed certificate"),
            ({"ns_cert_file": "", "ns_key_file": ""}, ""),
        ):
            async with following(text, replace(options_of(authority, client), **more, **without)) as followed:
                assert followed.servers == [] and followed.watcher.failed_count >= 1
                assert why in followed.watcher.describe()["last_error"]


async def test_registry_whose_certificate_is_of_another_authority_is_not_believed(
    authority: Authority, server: Pair, client: Pair, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    async with serving(authority.server_context(server)) as fake:
        fake.handler = answer_all
        text, _ = targets(fake)["remotefile"]
        options = replace(options_of(authority, client), ns_ca_file=other.ca_file)
        async with following(text, options) as followed:
            assert followed.servers == [] and "not accepted" in followed.watcher.describe()["last_error"]


async def test_renewed_certificate_is_shown_at_the_next_question_and_a_broken_one_is_an_outage(
    authority: Authority, server: Pair, client: Pair, tmp_path: Path
) -> None:
    used = Pair(tmp_path / "used.pem", tmp_path / "used.key")
    names: list[str] = []

    async def note(request: web.Request) -> web.Response:
        names.append(common_name(request))
        return await answer_all(request)

    def install(pair: Pair) -> None:
        for source, place in ((pair.cert, used.cert), (pair.key, used.key)):
            shutil.copy(source, tmp_path / "next")
            os.replace(tmp_path / "next", place)

    async with serving(authority.server_context(server)) as fake:
        fake.handler = note
        install(client)
        text, _ = targets(fake)["remotefile"]
        async with following(text, options_of(authority, used)) as followed:
            await followed.steps.next_round()
            install(authority.sign("renewed"))
            await followed.steps.next_round()
            assert names == ["client", "client", "renewed"] and followed.watcher.failed_count == 0
            used.key.write_bytes(client.key.read_bytes())
            await followed.steps.next_round()
            assert "KEY_VALUES_MISMATCH" in followed.watcher.describe()["last_error"]
            used.cert.unlink()
            await followed.steps.next_round()
            assert followed.watcher.describe()["last_error"] == f"-ns_cert_file={used.cert}: No such file or directory"
            assert followed.watcher.failed_count == 2 and followed.servers == [A]
            install(client)
            await followed.steps.next_round()
            assert names[3:] == ["client"] and followed.watcher.describe()["state"] == "current"


async def test_plain_questions_do_not_read_the_files(tmp_path: Path) -> None:
    async with serving() as fake:
        fake.handler = answer_all
        options = NamingOptions(ns_ca_file=str(tmp_path / "absent"))
        async with following(targets(fake)["remotefile"][0], options) as followed:
            assert followed.servers == [A]


async def test_settings_stay_the_same_object_while_no_file_changes(authority: Authority, client: Pair) -> None:
    settings = TlsSettings(options_of(authority, client))
    first = await settings.get()
    assert await settings.get() is first
    os.utime(client.cert)
    assert await settings.get() is not first
    assert await TlsSettings(NamingOptions()).get() is True


def test_files_that_are_of_no_use_are_named_with_their_flag(
    authority: Authority, client: Pair, server: Pair, tmp_path: Path
) -> None:
    good = options_of(authority, client)
    garbage, locked, pipe = tmp_path / "garbage", tmp_path / "locked", tmp_path / "pipe"
    garbage.write_text("hunter2")
    os.mkfifo(pipe)
    lock = ["openssl", "ec", "-in", str(client.key), "-aes128", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(lock, check=True, capture_output=True, timeout=30)
    load_context(good)
    load_context(replace(good, ns_ca_file=""))
    both = tmp_path / "both"
    both.write_bytes(client.cert.read_bytes() + client.key.read_bytes())
    load_context(replace(good, ns_cert_file=str(both), ns_key_file=""))
    for changes, flag, text in (
        ({"ns_ca_file": tmp_path / "absent"}, "ns_ca_file", "No such file"),
        ({"ns_ca_file": garbage}, "ns_ca_file", "garbage"),
        ({"ns_ca_file": tmp_path}, "ns_ca_file", "Is a directory"),
        ({"ns_ca_file": pipe}, "ns_ca_file", "not a regular file"),
        ({"ns_cert_file": garbage}, "ns_cert_file", "garbage"),
        ({"ns_cert_file": ""}, "ns_key_file", "no -ns_cert_file"),
        ({"ns_key_file": tmp_path / "absent"}, "ns_key_file", "No such file"),
        ({"ns_key_file": server.key}, "ns_cert_file", "KEY_VALUES_MISMATCH"),
        ({"ns_key_file": locked}, "ns_cert_file", "passphrase"),
        ({"ns_key_file": ""}, "ns_cert_file", ""),
    ):
        with pytest.raises(TlsFileError) as caught:
            load_context(replace(good, **{name: str(path) for name, path in changes.items()}))
        assert caught.value.flag == flag and text in str(caught.value) and "hunter2" not in str(caught.value)


@pytest.fixture
def etcd(authority: Authority, server: Pair, client: Pair, tmp_path: Path) -> Iterator[Etcd]:
    etcd = Etcd(
        tmp_path,
        *("--client-cert-auth", f"--trusted-ca-file={authority.ca_file}"),
        *(f"--cert-file={server.cert}", f"--key-file={server.key}"),
        tls=authority.client_context(client),
    )
    try:
        etcd.start()
        etcd.put("live/a", A)
        yield etcd
    finally:
        etcd.kill()


@pytest.mark.interop
async def test_real_etcd_that_wants_a_certificate(etcd: Etcd, authority: Authority, client: Pair) -> None:
    options = replace(options_of(authority, client), etcd_address=etcd.address)
    async with following("etcd://live/", options) as followed:
        assert followed.servers == [A]
        await asyncio.to_thread(etcd.put, "live/a", B)
        await followed.steps.end_sleep()  # the pause behind the last reading
        await followed.steps.next_round()
        assert followed.servers == [B] and followed.watcher.failed_count == 0
    async with following("etcd://live/", replace(options, ns_cert_file="", ns_key_file="")) as followed:
        assert followed.servers == [] and followed.watcher.failed_count == 1

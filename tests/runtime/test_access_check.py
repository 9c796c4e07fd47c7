"""What a check says of who may publish and play."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.access.config import AccessConfig
from edge.flags.gflags import parse
from edge.hooks.config import HookConfig
from edge.runtime.access_check import check_access, open_door
from edge.runtime.findings import findings
from edge.runtime.vhost_files import with_vhosts
from edge.service.rules import Rulebook, Rules, Vhost
from edge.upstream.config import UpstreamConfig

OPEN = Rules((AccessConfig(), HookConfig(), UpstreamConfig()))


def found(*flags: str) -> list[str]:
    return [str(problem) for problem in check_access(parse(list(flags)))]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("-play_allow=10.0.0.0/99",), "-play_allow: '10.0.0.0/99'"),
        (("-publish_auth=key",), "key needs -stream_keys_file"),
        (("-publish_auth=jwt",), "jwt needs -jwt_keys"),
        (("-jwt_keys=/nowhere/jwks",), "/nowhere/jwks: No such file"),
        (("-jwt_keys=https://",), "-jwt_keys=https://: no host or port"),
        (("-jwt_keys=http://127.0.0.1:x/",), "not a URL"),
        (("-sign_scheme=akamai",), "no scheme 'akamai'"),
        (("-stream_keys_file=/nowhere/keys",), "/nowhere/keys: No such file"),
        (("-node_secret_file=/nowhere/secret",), "/nowhere/secret: No such file"),
        (("-hls_cdn_secret_file=/nowhere/cdn",), "/nowhere/cdn: No such file"),
        (("-trusted_nodes=x",), "-trusted_nodes"),
    ],
)
def test_fault_is_an_error_where_the_flag_stands(flags: tuple[str, ...], words: str) -> None:
    (message,) = found(*flags)
    assert words in message and message.startswith("command line: ") and "warning" not in message


def test_fault_in_a_file_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# ours\nlive/hall short\n")
    (message,) = found("-publish_auth=key", f"-stream_keys_file={path}")
    assert message.startswith(f"{path}:2: ") and "short" not in message


def test_what_is_weak_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "sign"
    path.write_text("0123456789abcdef\n")
    signed = ("-play_auth=sign", f"-sign_keys_file={path}")
    for scheme in ("tencent", "md5:hex:s,t:{key}{path}{t}:dec"):
        (message,) = found(*signed, f"-sign_scheme={scheme}")
        assert "warning" in message and "MD5" in message
    assert found(*signed) == found(*signed, "-sign_scheme=huawei-d") == []


def test_vhost_is_checked_with_what_holds_for_it(tmp_path: Path) -> None:
    path = tmp_path / "edge.conf"
    refers = "refer { enabled on; play a/b; }"
    path.write_text(f"vhost a.example {{\n  publish_auth key;\n}}\nvhost b.example {{\n  {refers}\n}}\n")
    parsed = parse([f"-vhost_config={path}"])
    with_vhosts(parsed, {})
    messages = [problem for problem in findings(parsed) if not problem.is_warning]
    assert any("key needs -stream_keys_file" in each.message and each.where == f"{path}:2" for each in messages)
    assert any("no host of a page" in each.message and each.where == f"{path}:5" for each in messages)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("-hls_siblings=list://http://a:1,http://b:1",), "nodes of -hls_siblings"),
        (("-hls_entry_prefix=https://c.example", "-proxy_to=list://10.0.0.1:1"), "edges behind one cache"),
        (("-hls_entry_prefix=https://c.example",), ""),
        (("-hls_siblings=list://http://a:1,http://b:1", "-nohls"), ""),
        (("-hls_siblings=list://http://a:1,http://b:1", "-node_secret_file={path}"), ""),
        ((), ""),
    ],
)
def test_nodes_that_are_shown_each_others_permits_need_one_secret(
    flags: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    path, conf = tmp_path / "secret", tmp_path / "edge.conf"
    path.write_text("0123456789abcdef\n")
    flags = tuple(flag.format(path=path) for flag in flags)
    gate = ("-play_auth=sign", f"-sign_keys_file={path}")
    for more in (gate, ("-hooks_on_play=http://127.0.0.1:9/",)):
        messages = found(*flags, *more)
        assert len(messages) == bool(words) and all("warning" in each and words in each for each in messages)
        assert all(f"{more[0].partition('=')[0]} without -node_secret_file" in each for each in messages)
    assert not found(*flags)
    conf.write_text(f"vhost a.example {{\n  play_auth sign;\n  sign_keys_file {path};\n}}\n")
    parsed = parse([*flags, f"-vhost_config={conf}"])
    with_vhosts(parsed, {})
    assert [problem.where for problem in check_access(parsed)] == [f"{conf}:2"] * bool(words)


def test_asking_an_upstream_takes_one_and_gives_permits(tmp_path: Path) -> None:
    ask, fed = "-auth_upstream=ask", "-proxy_to=list://10.0.0.1:1"
    (message,) = found(ask)
    assert "warning" in message and "nobody is asked" in message
    assert found(ask, fed) == []
    (message,) = found(ask, fed, "-hls_siblings=list://http://a:1,http://b:1")
    assert "-auth_upstream without -node_secret_file" in message
    conf = tmp_path / "edge.conf"
    conf.write_text(
        "vhost a.example { auth_upstream ask; proxy_to list://10.0.0.1:1; }\nvhost b.example { auth_upstream ask; }\n"
    )
    parsed = parse([f"-vhost_config={conf}"])
    with_vhosts(parsed, {})
    assert [problem.where for problem in check_access(parsed)] == [f"{conf}:2"]


@pytest.mark.parametrize(
    ("sections", "bind", "is_open"),
    [
        ((), (), True),
        ((AccessConfig(play_auth=("sign",)), HookConfig(hooks_on_play=("http://h/",))), (), True),
        ((), ("127.0.0.1", "::1"), False),
        ((), ("127.0.0.1", "10.0.0.1"), True),
        ((AccessConfig(publish_auth=("key",)),), (), False),
        ((AccessConfig(publish_allow=("10.0.0.0/8",)),), (), False),
        ((HookConfig(hooks_on_publish=("http://h/",)),), (), False),
        ((HookConfig(hooks_on_connect=("http://h/",)),), (), False),
        ((AccessConfig(auth_upstream="ask"), UpstreamConfig(proxy_to="10.0.0.1:1")), (), False),
        ((AccessConfig(auth_upstream="ask"),), (), True),
    ],
)
def test_open_door_is_told(sections: tuple[object, ...], bind: tuple[str, ...], is_open: bool) -> None:
    text = open_door(Rulebook(OPEN.with_(*sections)), bind, 8079)
    assert bool(text) is is_open
    assert not text or text == "anybody who reaches port 8079 may publish; -publish_auth=key closes this"


def test_open_door_of_vhosts_is_one_that_somebody_is_served_at() -> None:
    closed = OPEN.with_(AccessConfig(publish_auth=("key",)))
    vhosts = [Vhost("a.example", closed), Vhost("off.example", OPEN, is_enabled=False)]
    assert not open_door(Rulebook(OPEN, vhosts), (), 8079)
    vhosts += [Vhost("b.example", OPEN), Vhost("c.example", OPEN)]
    assert "may publish at vhost b.example and 1 more; " in open_door(Rulebook(closed, vhosts), (), 8079)

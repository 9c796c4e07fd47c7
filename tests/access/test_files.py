"""Which files settings name, and who reads them."""

from __future__ import annotations

from edge.access.config import AccessConfig, GuardConfig
from edge.access.files import PARSERS, is_url, named_files


def test_each_file_that_is_named_has_a_parser() -> None:
    config = AccessConfig(
        stream_keys_file="a", users_file="b", sign_keys_file="c", hls_cdn_secret_file="e", jwt_keys="f"
    )
    files = [("stream_keys_file", "a"), ("users_file", "b"), ("sign_keys_file", "c"), ("hls_cdn_secret_file", "e")]
    assert named_files(config) == [*files, ("jwt_keys", "f")]
    for url in ("http://127.0.0.1/keys", "https://a.example/keys"):
        assert is_url(url) and named_files(AccessConfig(jwt_keys=url)) == [], "nobody reads a URL as a file"
    assert named_files(GuardConfig(node_secret_file="d")) == [("node_secret_file", "d")]
    assert named_files(AccessConfig()) == []
    assert {flag for flag, _ in named_files(config)} | {"node_secret_file"} == PARSERS.keys()

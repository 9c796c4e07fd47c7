from __future__ import annotations

from edge.flags.gflags import parse
from edge.flags.quality import quality_config
from edge.flags.registry import new_flags
from edge.quality.config import QualityConfig
from edge.runtime.targets import check_targets


def test_defaults_and_values() -> None:
    assert quality_config(new_flags()) == QualityConfig()
    parsed = parse(["-nocmcd", "-cmcd_max_sessions=5"])
    assert quality_config(parsed.flags) == QualityConfig(cmcd=False, cmcd_max_sessions=5)


def test_siblings_are_checked_before_anything_is_asked() -> None:
    def messages(*arguments: str) -> list[str]:
        return [problem.message for problem in check_targets(parse(list(arguments)))]

    assert messages("-hls_siblings=list://http://a,https://b/c") == []
    (message,) = messages("-hls_siblings=list://a:80")
    assert message.startswith("-hls_siblings: bad base URL")
    assert messages("-rtmp_siblings=list://rtmp://a,rtmps://b") == []
    (message,) = messages("-rtmp_siblings=list://http://a")
    assert message.startswith("-rtmp_siblings: bad base URL")
    (message,) = messages("-hls_siblings=edges")
    assert "no URL of a naming service" in message
    (message,) = messages("-hls_siblings=list://http://a", "-hls_entry_prefix=http://cdn")
    assert "no effect beside -hls_entry_prefix" in message
    (message,) = messages("-hls_siblings=list://http://a", "-nohls")
    assert "no effect without -hls" in message

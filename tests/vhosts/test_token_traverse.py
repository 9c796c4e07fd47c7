"""A vhost of an SRS file asks its origin about each client, and another vhost of the same origin does not."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from edge.access.edge_scheme import EdgeScheme
from edge.access.token import Asked
from edge.net.aio import wall_ms
from tests.net.live import pictures, status
from tests.runtime.nodes import running
from tests.runtime.test_access import SIGN_KEY

#: In the style of the file for edges that hand tokens on.
CONF = """
vhost asks.example {
    cluster {
        mode            remote;
        origin          127.0.0.1:PORT;
        token_traverse  on;
    }
}
vhost passes.example {
    cluster {
        mode            remote;
        origin          127.0.0.1:PORT;
    }
}
"""


def signed(vhost: str) -> str:
    asked = Asked("play", vhost, "live", "s", "", "", wall_ms() / 1000)
    return EdgeScheme().sign(asked, SIGN_KEY, int(asked.now_s + 3600))


async def test_token_of_each_player_goes_through_to_the_origin(tmp_path: Path) -> None:
    keys, conf = tmp_path / "sign.keys", tmp_path / "edge.conf"
    keys.write_bytes(SIGN_KEY)
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(running("-play_auth=sign", f"-sign_keys_file={keys}"))
        for vhost in ("asks.example", "passes.example"):
            await origin.publisher(f"s?vhost={vhost}", pictures=2)
        conf.write_text(CONF.replace("PORT", str(origin.port())))
        edge = await stack.enter_async_context(running(f"-vhost_config={conf}", "-hook_timeout_ms=20000"))
        for vhost in ("asks.example", "passes.example"):
            player = await edge.player(f"s?vhost={vhost}&{signed(vhost)}")
            await pictures(player, 0)
        client = await edge.client()
        client.play("s?vhost=asks.example&exp=1893456000&sig=wrong")
        assert (await status(client, "NetStream.Play.Failed"))["description"] == "TokenInvalid"
        client = await edge.client()
        client.play("s?vhost=passes.example&exp=1893456000&sig=wrong")
        await pictures(client, 0)

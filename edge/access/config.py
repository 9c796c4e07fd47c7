"""Settings of the gates: of a stream, and of the whole node. The fields bear the names of flags."""

from __future__ import annotations

from dataclasses import dataclass

JWT_EXTRA_MISSING = "jwt needs the extra auth, which is not installed (pip install edge-media[auth])"


@dataclass(frozen=True, slots=True)
class AccessConfig:
    """What holds for the streams of a vhost; empty lists and names ask nothing.

    Attributes:
        publish_allow, publish_deny, play_allow, play_deny: addresses, CIDR, ``all``.
        refer_all, refer_play, refer_publish: hosts of pages, ``.host`` for those below one, ``none`` for no page.
        publish_auth, play_auth: ``key``, ``sign``, ``user``, ``jwt``: any one of them suffices.
        stream_keys_file, users_file, sign_keys_file: paths.
        sign_scheme: presets, or templates, with commas between.
        sign_ttl_s: how long a URL is valid whose scheme says when it was made; 0: it says when it ends.
        sign_skew_s: allowed past the end, and before the beginning.
        jwt_keys: a path, or an http or https URL.
        jwt_issuer: of whom tokens have to be; "" for anybody.
        jwt_audience: for whom they have to be, one of these; empty: one that is for somebody is refused.
        auth_end_at_expiry: a session ends with the token that let it in.
        auth_upstream: ``pass``, ``off`` or ``ask``.
        hls_cdn_secret_file: a path; "" where no CDN is let in for its viewers.
    """

    publish_allow: tuple[str, ...] = ()
    publish_deny: tuple[str, ...] = ()
    play_allow: tuple[str, ...] = ()
    play_deny: tuple[str, ...] = ()
    refer_all: tuple[str, ...] = ()
    refer_play: tuple[str, ...] = ()
    refer_publish: tuple[str, ...] = ()
    publish_auth: tuple[str, ...] = ()
    play_auth: tuple[str, ...] = ()
    stream_keys_file: str = ""
    users_file: str = ""
    sign_scheme: str = "edge"
    sign_keys_file: str = ""
    sign_ttl_s: int = 0
    sign_skew_s: int = 30
    jwt_keys: str = ""
    jwt_issuer: str = ""
    jwt_audience: tuple[str, ...] = ()
    auth_end_at_expiry: bool = False
    auth_upstream: str = "pass"
    hls_cdn_secret_file: str = ""

    @property
    def asks_nothing(self) -> bool:
        """There is no gate."""
        return self == _OPEN or not any(
            (
                *(self.publish_allow, self.publish_deny, self.play_allow, self.play_deny),
                *(self.refer_all, self.refer_play, self.refer_publish, self.publish_auth, self.play_auth),
            )
        )


_OPEN = AccessConfig()


@dataclass(frozen=True, slots=True)
class GuardConfig:
    """What holds for the node.

    Attributes:
        auth_failures_per_min: wrong credentials of an address after which nothing of it is looked at for a minute;
            0 for no limit.
        auth_told_per_s: how many connections of such an address are told so each second; 0 for all.
        node_secret_file: a path; "" where nodes prove nothing.
        trusted_nodes: addresses and CIDR of nodes that cannot prove themselves.
    """

    auth_failures_per_min: int = 30
    auth_told_per_s: int = 20
    node_secret_file: str = ""
    trusted_nodes: tuple[str, ...] = ()

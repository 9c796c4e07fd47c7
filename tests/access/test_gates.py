"""The gates in their order, each for itself and together."""

from __future__ import annotations

import hashlib

import pytest

from edge.access.config import AccessConfig, GuardConfig
from edge.access.edge_scheme import EdgeScheme
from edge.access.nodes import NodeProofs
from edge.access.passwords import new_hash
from edge.service.admission import LATER, Granted, Later, Verdict
from edge.service.refusal import Reason, Refusal
from edge.service.request import ConnectRequest, PlayRequest
from tests.access.fakes import EXPIRY, KEY, NOW, Rig, asked
from tests.service.fakes import FakeClient

SECRET = "b7Qk-9sXw2-Lm4Tz8Rv1"
BY_KEY = AccessConfig(publish_auth=("key",), stream_keys_file="keys")
SIGNED = AccessConfig(play_auth=("sign",), publish_auth=("sign",), sign_keys_file="sign")
PLAY = EdgeScheme().sign(asked(scope="live/s"), KEY, EXPIRY)


def reason_of(verdict: Verdict | Later) -> Reason | None:
    return verdict.reason if isinstance(verdict, Refusal) else None


def test_open_gates_ask_nothing() -> None:
    rig = Rig(AccessConfig())
    assert rig.ask("publish", "s") is None and rig.ask("play", "s") is None
    assert not rig.gates.hides(rig.request)


def test_address_goes_before_all_and_holds_for_nodes_too() -> None:
    rig = Rig(
        AccessConfig(
            publish_allow=("10.0.0.0/8",), play_deny=("203.0.113.9",), play_auth=("sign",), sign_keys_file="sign"
        )
    )
    assert reason_of(rig.ask("publish", "s")) is Reason.ADDRESS
    assert rig.ask("publish", "s", peer="10.1.1.1:9") == Granted()
    assert reason_of(rig.ask("play", f"s?{PLAY}", is_proven=True)) is Reason.ADDRESS
    assert rig.ask("play", "s", is_proven=True, peer="10.1.1.1:9") == Granted()


def test_cdn_that_is_let_in_passes_all_gates_and_others_none_by_its_secret() -> None:
    config = AccessConfig(
        play_deny=("all",), play_auth=("sign",), sign_keys_file="sign", refer_all=("a.b",), hls_cdn_secret_file="cdn"
    )
    rig, right = Rig(config), f"Bearer {KEY.decode()}"
    assert rig.ask("play", "s", is_proven=True, authorization=right) == Granted()
    for client in ({"authorization": right}, {"is_proven": True, "authorization": right[:-1]}, {"is_proven": True}):
        assert reason_of(rig.ask("play", "s", **client)) is Reason.ADDRESS
    key = rig.request.name.key
    assert [rig.gates.is_cdn(key, said) for said in ((right,), (right[:-1],), ("Basic x",), ())] == [
        *(True, False, None, None)
    ]
    assert Rig(SIGNED).gates.is_cdn(key, (right,)) is None, "no CDN is known"


def test_page_is_asked_for_at_connect_and_again_for_what_is_wanted() -> None:
    rig = Rig(AccessConfig(refer_all=("example.com",), refer_play=("play.example.com",)))
    for page, is_in in (("http://example.com/x", True), ("http://evil.net", False), ("", False)):
        request = ConnectRequest(FakeClient(1, "10.0.0.1:1", page_url=page), "_", "live")
        assert (rig.gates.check_connect(request, lambda _: None) is None) is is_in
        assert (reason_of(rig.ask("publish", "s", page_url=page)) is None) is is_in
    assert reason_of(rig.ask("play", "s", page_url="http://example.com")) is Reason.PAGE
    assert rig.ask("play", "s", page_url="http://play.example.com") == Granted()


def test_secret_key_becomes_the_public_name_and_is_shown_nowhere() -> None:
    rig = Rig(BY_KEY)
    assert rig.ask("publish", SECRET) == Granted("live/hall")
    assert rig.gates.hides(rig.request)
    for name in ("hall", "b7Qk-9sXw2-Lm4Tz8Rv2", "other/app"):
        assert reason_of(rig.ask("publish", name)) is Reason.KEY_INVALID


def test_key_that_is_played_is_refused_and_hidden() -> None:
    rig = Rig(BY_KEY)
    assert reason_of(rig.ask("play", SECRET)) is Reason.KEY_INVALID
    assert rig.gates.hides(rig.request)
    for name in (f"{SECRET}/x", f"{SECRET}.pubproxy", f"a/{SECRET}.flv"):
        rig.ask("play", name)
        assert rig.gates.hides(rig.request), name
    assert rig.ask("play", "hall") == Granted() and not rig.gates.hides(rig.request)


def test_key_at_the_wrong_place_becomes_no_name_and_is_hidden() -> None:
    open_place = Rig(AccessConfig())
    assert reason_of(open_place.ask("publish", SECRET)) is Reason.KEY_INVALID
    assert open_place.gates.hides(open_place.request)
    assert open_place.ask("publish", "hall") is None and not open_place.gates.hides(open_place.request)
    by_address = Rig(AccessConfig(publish_allow=("all",)))
    assert reason_of(by_address.ask("publish", SECRET)) is Reason.KEY_INVALID
    node = Rig(BY_KEY)
    assert reason_of(node.ask("publish", SECRET, is_proven=True)) is Reason.KEY_INVALID, "its edge has no keys"
    assert node.ask("publish", "hall", is_proven=True) == Granted()
    # Where nobody is served, a publisher may have meant a key whatever he said.
    nowhere = Rig(BY_KEY, has_vhost=False)
    nowhere.ask("publish", "almost a key")
    assert nowhere.gates.hides(nowhere.request)
    nowhere.ask("play", "hall")
    assert not nowhere.gates.hides(nowhere.request)
    nowhere.ask("play", f"x/{SECRET}&y")
    assert nowhere.gates.hides(nowhere.request)


def test_signature_lets_in_what_it_is_of() -> None:
    rig = Rig(SIGNED)
    assert rig.ask("play", f"s?{PLAY}") == Granted()
    assert reason_of(rig.ask("publish", f"s?{PLAY}")) is Reason.TOKEN_INVALID
    assert reason_of(rig.ask("play", "s")) is Reason.TOKEN_MISSING
    assert reason_of(rig.ask("play", f"s?{PLAY}&exp=1")) is Reason.TOKEN_MALFORMED
    rig.wall_s = EXPIRY + 31.0
    assert reason_of(rig.ask("play", f"s?{PLAY}")) is Reason.TOKEN_EXPIRED


def test_any_method_of_the_list_suffices() -> None:
    rig = Rig(AccessConfig(publish_auth=("key", "sign"), stream_keys_file="keys", sign_keys_file="sign"))
    query = EdgeScheme().sign(asked("publish", scope="live/s"), KEY, EXPIRY)
    assert rig.ask("publish", f"s?{query}") == Granted()
    assert rig.ask("publish", SECRET) == Granted("live/hall")
    assert reason_of(rig.ask("publish", "s")) is Reason.KEY_INVALID
    assert reason_of(rig.ask("publish", f"s?{query}x")) is Reason.TOKEN_INVALID


def test_session_ends_with_its_token_where_that_is_wanted_and_what_is_spent_stays_here() -> None:
    rig = Rig(AccessConfig(play_auth=("sign",), sign_keys_file="sign", auth_end_at_expiry=True, auth_upstream="off"))
    assert rig.ask("play", f"s?a=1&{PLAY}&b=2") == Granted(query="a=1&b=2", lifetime_s=float(EXPIRY - NOW))


# --- users -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def users_text() -> str:
    quick = f"sha256:{hashlib.sha256(b'random').hexdigest()}"
    return f"ann:{new_hash('right', b'0123456789abcdef')}:play:live/*\nrob:{quick}:publish,play:live/s\n"


def test_password_is_looked_at_in_a_thread(users_text: str) -> None:
    rig = Rig(AccessConfig(play_auth=("user",), users_file="users"), users_text=users_text)
    assert rig.ask("play", "s?user=ann&pass=right") is LATER
    ((work, answer),) = rig.waiting
    answer(work())
    assert rig.answers == [Granted()]
    assert rig.ask("play", "s?user=ann&pass=right") == Granted(), "it is known for a minute"
    assert reason_of(rig.ask("play", "s")) is Reason.LOGIN_MISSING
    assert rig.ask("play", "s?user=ann&pass=wrong") is LATER
    rig.waiting[-1][1](False)
    assert [reason_of(each) for each in rig.answers] == [Reason.LOGIN_INVALID]


def test_AU22_who_would_wait_too_long_is_told_so_at_once(users_text: str) -> None:
    rig = Rig(AccessConfig(play_auth=("user",), users_file="users"), users_text=users_text)
    rig.ask("play", "s?user=nobody&pass=x")
    rig.waiting[0][1](None)
    assert [reason_of(each) for each in rig.answers] == [Reason.LIMIT]


def test_who_is_no_user_costs_no_thread_where_passwords_are_random(users_text: str) -> None:
    """How long it took told who is a user, and strangers kept the threads busy."""
    rig = Rig(AccessConfig(play_auth=("user",), users_file="users"), users_text=users_text.splitlines()[1])
    for login in ("user=nobody&pass=x", "user=rob&pass=x", "user=nobody&pass="):
        assert reason_of(rig.ask("play", f"s?{login}")) is Reason.LOGIN_INVALID
    assert not rig.waiting


def test_random_password_is_looked_at_at_once_and_for_what_it_is_meant(users_text: str) -> None:
    rig = Rig(AccessConfig(play_auth=("user",), publish_auth=("user",), users_file="users"), users_text=users_text)
    basic = {"authorization": "Basic cm9iOnJhbmRvbQ=="}
    assert rig.ask("play", "s", **basic) == rig.ask("publish", "s", **basic) == Granted()
    assert reason_of(rig.ask("play", "t", **basic)) is Reason.LOGIN_INVALID


# --- nodes and guessing --------------------------------------------------------------


def test_AU25_node_is_judged_by_its_proof_and_an_id_alone_proves_nothing() -> None:
    rig = Rig(SIGNED, node_secret=KEY)
    assert reason_of(rig.ask("play", "s", edge_id="n")) is Reason.TOKEN_MISSING
    proof = NodeProofs(KEY, lambda: float(NOW)).make("n")
    assert rig.gates.proves(proof, "n") and not rig.gates.proves(proof, "n")
    assert not Rig(SIGNED).gates.proves(NodeProofs(KEY, lambda: float(NOW)).make("n"), "n")
    assert rig.ask("play", "s", is_proven=True) == Granted()


def test_node_is_trusted_by_its_address() -> None:
    rig = Rig(SIGNED, GuardConfig(trusted_nodes=("203.0.113.0/24",)))
    assert rig.ask("play", "s") == Granted()
    assert reason_of(rig.ask("play", "s", peer="10.0.0.1:1")) is Reason.TOKEN_MISSING


def test_AU21_who_guesses_is_not_looked_at_for_a_minute_right_or_wrong() -> None:
    rig = Rig(SIGNED)
    for _ in range(30):
        verdict = rig.ask("play", f"s?{PLAY}x")
        assert isinstance(verdict, Refusal) and isinstance(rig.request, PlayRequest)
        rig.gates.refused(rig.request, verdict)
    refusal = rig.ask("play", f"s?{PLAY}")
    assert isinstance(refusal, Refusal) and (refusal.reason, refusal.retry_after_s) == (Reason.GUESSING, 60)
    assert rig.gates.shuts_out("203.0.113.9") and not rig.gates.shuts_out("203.0.113.8")
    assert rig.ask("play", f"s?{PLAY}", peer="203.0.113.8:1") == Granted()
    rig.now_ms += 60_000
    assert rig.ask("play", f"s?{PLAY}") == Granted()


def test_AU35_budgets_go_by_the_monotonic_clock_and_tokens_by_the_wall() -> None:
    rig = Rig(SIGNED)
    for _ in range(30):
        rig.gates.guessing.failed("203.0.113.9")
    rig.wall_s += 3600
    assert reason_of(rig.ask("play", f"s?{PLAY}")) is Reason.GUESSING
    assert rig.ask("play", f"s?{PLAY}", peer="10.0.0.1:1") == Granted()
    rig.wall_s += 3600
    assert reason_of(rig.ask("play", f"s?{PLAY}", peer="10.0.0.1:1")) is Reason.TOKEN_EXPIRED


def test_missing_and_expired_ones_are_no_guesses() -> None:
    rig = Rig(SIGNED)
    rig.ask("play", "s")
    for reason in (Reason.TOKEN_MISSING, Reason.TOKEN_EXPIRED, Reason.ADDRESS, Reason.BUSY):
        for _ in range(40):
            rig.gates.refused(rig.request, Refusal(reason, ""))
    assert not rig.gates.shuts_out("203.0.113.9")


def test_AU29_other_keys_hold_for_who_comes_then() -> None:
    rig = Rig(BY_KEY)
    assert rig.ask("publish", SECRET) == Granted("live/hall")
    rig.keys_text = "live/stage new-key-of-the-stage\n"
    rig.gates.replace(rig.files, rig.guard)
    assert reason_of(rig.ask("publish", SECRET)) is Reason.KEY_INVALID
    assert rig.ask("publish", "new-key-of-the-stage") == Granted("live/stage")


def test_AU7_name_is_resolved_before_its_token_is_looked_at() -> None:
    rig = Rig(SIGNED)
    service = rig.door.service
    for path in ("/live/s/", "/live/s"):
        name = service.resolve_path("10.0.0.1", path, PLAY)
        assert not isinstance(name, Refusal) and name.key.stream_name == "s"
        assert rig.gates.check(PlayRequest(FakeClient(1, "10.0.0.1:1"), name), lambda _: None) == Granted()
    for path in ("/live/%73", "/live/\u017f", "/live/S"):  # escaped once more, another form of a letter, another letter
        name = service.resolve_path("10.0.0.1", path, PLAY)
        assert not isinstance(name, Refusal)
        verdict = rig.gates.check(PlayRequest(FakeClient(1, "10.0.0.1:1"), name), lambda _: None)
        assert reason_of(verdict) is Reason.TOKEN_INVALID
    for path in ("/live/../s", "/live//s", "/live/", "/live/s?x"):
        assert isinstance(service.resolve_path("10.0.0.1", path, PLAY), Refusal)

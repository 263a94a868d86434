"""How targets are doing: circuits, resting credentials, shares, speeds and homes, on a clock that is told."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ops_center.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnreachable,
)
from ops_center.health import (
    FAILURES_IN_A_ROW,
    FIRST_ASIDE_SECONDS,
    FIRST_PAUSE_SECONDS,
    HOME_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Health,
)
from ops_center.providers.registry import provider_spec
from ops_center.snapshot import Credential, Provider, Target
from ops_center.types import CredentialSource

FAILED = ProviderFailed("failed", detail="HTTP 500")
REFUSED = ProviderAuthError("refused", detail="HTTP 401")


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def date(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=self.now)


def target(model: str = "m", *weights: int, name: str = "P") -> Target:
    provider = Provider(
        id=f"prov_{name}",
        name=name,
        spec=provider_spec("custom"),
        base_url="http://x/v1",
        credential="sk-0",
        credential_id=f"cred_{name}0",
        credentials=tuple(
            Credential(id=f"cred_{name}{n}", secret=f"sk-{n}", weight=w)
            for n, w in enumerate(weights or (1,))
        ),
    )
    return Target(id=f"mdl_{name}_{model}", provider=provider, model=model)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def health(time: Time) -> Health:
    return Health(monotonic=time, clock=time.date)


def fail(health: Health, of: Target, error: ProviderError, times: int = 1) -> None:
    for _ in range(times):
        credential = health.credential(of) or of.provider.credentials[0]
        health.begin(of, credential).failed(error)


def succeed(health: Health, of: Target, seconds: float = 1.0, output_tokens: int = 100) -> None:
    credential = health.credential(of)
    assert credential is not None
    ticket = health.begin(of, credential)
    ticket.answered(seconds)
    ticket.finished(seconds=seconds, first_chunk_seconds=None, output_tokens=output_tokens)


# ── circuits ──────────────────────────────────────────────────────────────────


def test_a_circuit_opens_after_failures_in_a_row_and_says_why(health: Health, time: Time) -> None:
    m = target()
    fail(health, m, FAILED, FAILURES_IN_A_ROW - 1)
    assert health.blocked(m) is None
    fail(health, m, FAILED)
    blocked = health.blocked(m)
    assert blocked is not None
    assert ("HTTP 500" in blocked.reason, blocked.seconds) == (True, FIRST_PAUSE_SECONDS)
    assert m.id in health.troubled
    assert health.report("prov_P").open_models == ((m.id, "HTTP 500"),)
    assert health.report("prov_P").opened_at == time.date()


def test_a_success_in_between_keeps_it_closed(health: Health) -> None:
    m = target()
    for _ in range(4):
        fail(health, m, FAILED, FAILURES_IN_A_ROW - 1)
        succeed(health, m)
        succeed(health, m)
        succeed(health, m)
        succeed(health, m)
        succeed(health, m)
    assert health.blocked(m) is None


def test_it_opens_on_half_of_the_calls_failing(health: Health) -> None:
    m = target()
    for _ in range(6):
        succeed(health, m)
        fail(health, m, FAILED)
    assert health.blocked(m) is not None


def test_old_failures_do_not_count_with_new_ones(health: Health, time: Time) -> None:
    m = target()
    for _ in range(12):
        fail(health, m, FAILED)
        succeed(health, m)
        time.now += 31
    assert health.blocked(m) is None


def test_one_real_call_tries_it_and_closes_it(health: Health, time: Time) -> None:
    m = target()
    fail(health, m, FAILED, FAILURES_IN_A_ROW)
    time.now += FIRST_PAUSE_SECONDS
    assert health.blocked(m) is None
    probe = health.begin(m, m.provider.credentials[0])
    assert health.blocked(m) is not None  # one at a time
    probe.answered(0.5)
    assert health.blocked(m) is None
    assert health.troubled == set()


def test_each_failed_probe_doubles_the_pause_up_to_the_longest(health: Health, time: Time) -> None:
    m = target()
    fail(health, m, FAILED, FAILURES_IN_A_ROW)
    pauses = []
    for _ in range(10):
        blocked = health.blocked(m)
        assert blocked is not None
        pauses.append(blocked.seconds)
        time.now += blocked.seconds
        fail(health, m, FAILED)
    assert pauses[:4] == [FIRST_PAUSE_SECONDS * 2**n for n in range(4)]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_a_probe_given_up_by_its_caller_leaves_room_for_another(health: Health, time: Time) -> None:
    m = target()
    fail(health, m, FAILED, FAILURES_IN_A_ROW)
    time.now += FIRST_PAUSE_SECONDS
    health.begin(m, m.provider.credentials[0]).dropped()
    assert health.blocked(m) is None


def test_the_callers_own_fault_says_that_the_target_is_well(health: Health) -> None:
    m = target()
    fail(health, m, FAILED, FAILURES_IN_A_ROW - 1)
    fail(health, m, ProviderRejected("no", provider_status=400))
    fail(health, m, FAILED, FAILURES_IN_A_ROW - 1)
    assert health.blocked(m) is None


def test_another_model_of_the_provider_is_not_blamed(health: Health) -> None:
    m, other = target("m"), target("other")
    fail(health, m, ProviderUnreachable("gone"), FAILURES_IN_A_ROW)
    assert health.blocked(m) is not None
    assert health.blocked(other) is None


# ── credentials ───────────────────────────────────────────────────────────────


def test_credentials_take_turns_by_weight(health: Health) -> None:
    m = target("m", 3, 1)
    counts = Counter(c.id for _ in range(400) if (c := health.credential(m)) is not None)
    assert counts == {"cred_P0": 300, "cred_P1": 100}


def test_a_refused_credential_is_set_aside_and_reported(health: Health, time: Time) -> None:
    m = target("m", 1, 1)
    first = m.provider.credentials[0]
    health.begin(m, first).failed(REFUSED)
    assert {c.id for _ in range(9) if (c := health.credential(m))} == {"cred_P1"}
    assert health.blocked(m) is None
    [trouble] = health.report("prov_P").aside
    assert (trouble.credential_id, trouble.reason, trouble.since) == ("cred_P0", "HTTP 401", time.date())
    health.begin(m, m.provider.credentials[1]).failed(REFUSED)
    assert health.credential(m) is None
    blocked = health.blocked(m)
    assert blocked is not None and "key was refused" in blocked.reason and not blocked.limited
    time.now += FIRST_ASIDE_SECONDS
    assert health.blocked(m) is None
    health.begin(m, first).failed(REFUSED)
    time.now += FIRST_ASIDE_SECONDS
    assert {c.id for _ in range(9) if (c := health.credential(m))} == {"cred_P1"}


def test_a_proof_of_the_key_brings_it_back_at_once(health: Health) -> None:
    m = target()
    fail(health, m, REFUSED)
    health.proven("cred_P0")
    assert health.blocked(m) is None
    assert health.report("prov_P").aside == ()
    assert health.troubled == set()


def test_a_spent_rate_limit_rests_that_credential_for_that_model_until_its_reset(
    health: Health, time: Time
) -> None:
    m, other = target("m", 1, 1), target("other", 1, 1)
    health.begin(m, m.provider.credentials[0]).failed(ProviderRateLimited("slow", retry_after_seconds=30))
    assert {c.id for _ in range(9) if (c := health.credential(m))} == {"cred_P1"}
    assert {c.id for _ in range(9) if (c := health.credential(other))} == {"cred_P0", "cred_P1"}
    health.begin(m, m.provider.credentials[1]).failed(ProviderRateLimited("slow", retry_after_seconds=10))
    blocked = health.blocked(m)
    assert blocked is not None
    assert (blocked.limited, blocked.seconds) == (True, 10)
    time.now += 10
    assert {c.id for _ in range(9) if (c := health.credential(m))} == {"cred_P1"}
    time.now += 20
    assert {c.id for _ in range(9) if (c := health.credential(m))} == {"cred_P0", "cred_P1"}


def test_what_was_tried_already_is_not_tried_again(health: Health) -> None:
    m = target("m", 1, 1)
    assert {c.id for _ in range(5) if (c := health.credential(m, frozenset({"cred_P0"})))} == {"cred_P1"}
    assert health.credential(m, frozenset({"cred_P0", "cred_P1"})) is None


# ── load, speed, lengths, homes, retries ──────────────────────────────────────


def test_load_is_outstanding_requests_times_latency(health: Health, time: Time) -> None:
    slow, fast = target("m", name="Slow"), target("m", name="Fast")
    assert not health.busy
    succeed(health, slow, seconds=4.0)
    succeed(health, fast, seconds=1.0)
    assert health.busy
    assert health.load(slow.id) == pytest.approx(4 * health.load(fast.id))
    held = [health.begin(fast, fast.provider.credentials[0]) for _ in range(7)]
    assert health.load(fast.id) == pytest.approx(2 * health.load(slow.id))
    for ticket in held:
        ticket.dropped()
        ticket.dropped()
    assert health.load(fast.id) == pytest.approx(1.0)
    time.now += 61  # an old latency says nothing any more
    assert health.load(slow.id) == health.load(fast.id)


def test_differences_below_a_tenth_of_a_second_are_noise(health: Health) -> None:
    a, b = target("m", name="A"), target("m", name="B")
    succeed(health, a, seconds=0.002)
    succeed(health, b, seconds=0.04)
    assert health.load(a.id) == health.load(b.id)


def test_speeds_are_published_now_and_then_and_only_when_they_moved(health: Health, time: Time) -> None:
    m = target()
    succeed(health, m, seconds=2.0, output_tokens=100)
    assert health.speeds.seconds == {}
    time.now += 6
    succeed(health, m, seconds=2.0, output_tokens=100)
    assert health.speeds.seconds == {m.id: (0.0, pytest.approx(0.02))}
    version = health.speeds.version
    time.now += 6
    succeed(health, m, seconds=2.0, output_tokens=100)
    assert health.speeds.version == version
    time.now += 6
    for _ in range(20):
        succeed(health, m, seconds=30.0, output_tokens=100)
    time.now += 6
    succeed(health, m, seconds=30.0, output_tokens=100)
    assert health.speeds.version == version + 2


def test_the_first_chunk_of_streams_is_kept_apart_from_their_tokens(health: Health, time: Time) -> None:
    m = target()
    time.now += 6
    ticket = health.begin(m, m.provider.credentials[0])
    ticket.answered(0.4)
    ticket.finished(seconds=2.4, first_chunk_seconds=0.4, output_tokens=100)
    assert health.speeds.seconds == {m.id: (0.4, pytest.approx(0.02))}


def test_the_length_of_answers_is_learned_per_key(health: Health) -> None:
    assert health.output_tokens("key_1") == 500
    for _ in range(50):
        health.learn_length("key_1", 40)
    assert health.output_tokens("key_1") == 40
    assert health.output_tokens("key_2") == 500


def test_a_home_is_forgotten_when_no_cache_would_be_left(health: Health, time: Time) -> None:
    health.remember(("key_1", 7), "mdl_1")
    assert health.home(("key_1", 7)) == "mdl_1"
    assert health.home(("key_2", 7)) is None
    time.now += HOME_SECONDS
    assert health.home(("key_1", 7)) is None


def test_memory_of_homes_keys_and_targets_is_bounded(health: Health) -> None:
    for n in range(20_100):
        health.remember(n, "mdl_1")
        health.learn_length(f"key_{n}", 1)
    assert health.home(0) is None and health.home(20_099) == "mdl_1"
    assert (len(health._homes), len(health._lengths)) == (20_000, 20_000)
    for n in range(20_100):
        m = target(f"m{n}")
        health.begin(m, m.provider.credentials[0]).dropped()
    assert len(health.targets) <= 20_000


def test_retries_are_a_tenth_of_the_requests(health: Health) -> None:
    m = target()
    assert sum(health.take_retry("prov_P") for _ in range(100)) == 10
    for _ in range(95):
        health.begin(m, m.provider.credentials[0]).dropped()
    assert sum(health.take_retry("prov_P") for _ in range(100)) == 9


def test_no_secret_is_shown(health: Health) -> None:
    m = target()
    fail(health, m, REFUSED)
    shown = repr(m.provider.credentials) + repr(health.report("prov_P")) + repr(health.blocked(m))
    assert "sk-0" not in shown


def test_a_copy_with_another_credential_carries_nobody_elses() -> None:
    shared = target("m", 1, 1).provider
    own = msgspec.structs.replace(shared, credential="sk-own", credential_id="cred_own")
    assert [(c.id, c.secret) for c in own.credentials] == [("cred_own", "sk-own")]
    assert msgspec.structs.replace(shared, priority=7).credentials == shared.credentials


def test_a_users_own_refused_key_is_not_the_platforms_trouble(health: Health) -> None:
    shared = target()
    own = msgspec.structs.replace(
        shared,
        provider=msgspec.structs.replace(
            shared.provider,
            credential="sk-own",
            credential_id="cred_own",
            credential_source=CredentialSource.BYOK,
        ),
    )
    fail(health, own, REFUSED)
    assert health.blocked(shared) is None and health.blocked(own) is None
    assert health.report("prov_P").aside == ()
    fail(health, shared, REFUSED)
    assert health.blocked(shared) is not None
    assert health.blocked(shared, own_key=True) is None

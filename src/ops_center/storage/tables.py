"""The one schema, for SQLite and PostgreSQL alike. No queries: those live beside the noun that asks.

Two column types keep both engines exact: `Money` stores whole nano-dollars, `Instant` whole microseconds
since 1970 UTC, each in a BIGINT, so sums never pass through a float and ranges never through a string.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NANO = Decimal(1_000_000_000)


class Money(TypeDecorator[Decimal]):
    """USD as `Decimal` outside, nano-dollars in a BIGINT inside. Sums of it are exact on both engines."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int((value * _NANO).to_integral_value(ROUND_HALF_EVEN))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(int(value)) / _NANO


class Instant(TypeDecorator[datetime]):
    """An aware datetime outside, microseconds since 1970 UTC in a BIGINT inside."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=int(value))


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

users = Table(
    "users",
    metadata,
    Column("id", String(40), primary_key=True),  # usr_
    Column("email", String(320), nullable=False, unique=True),  # lower case
    Column("name", String(200), nullable=False, default=""),
    Column("password_hash", Text, nullable=True),  # argon2id
    Column("role", String(16), nullable=False),
    Column("power_level", String(16), nullable=True),
    # for all keys of the user together; null: no limit
    Column("requests_per_minute", Integer, nullable=True),
    Column("tokens_per_minute", Integer, nullable=True),
    Column("concurrent_requests", Integer, nullable=True),
    Column("power_level_max", String(16), nullable=True),  # null: the maximum of the settings
    Column("byok_policy", String(20), nullable=True),  # null: the global one
    Column("byok_fallback", Boolean, nullable=False, default=False),  # the user's own switch
    Column("disabled_at", Instant, nullable=True),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),  # SHA-256 of the cookie
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("ip_address", String(64), nullable=False, default=""),
    Column("user_agent", String(400), nullable=False, default=""),
    Column("id", String(40), nullable=False, unique=True),  # ses_: what it is called, which opens nothing
    Column("method", String(16), nullable=False),  # password | setup | invitation | oidc
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", String(300), primary_key=True),
    Column("subject", String(255), primary_key=True),  # the issuer's own name for somebody; never given anew
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", String(40), primary_key=True),  # inv_
    Column("email", String(320), nullable=False, index=True),  # lower case
    Column("role", String(16), nullable=False),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),  # SHA-256 of the link's token
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(40), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("accepted_at", Instant, nullable=True),
    Column("revoked_at", Instant, nullable=True),
)

second_factors = Table(
    "second_factors",
    metadata,
    # the secret itself is in sealed_secrets, as "totp:<user id>"
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("confirmed_at", Instant, nullable=True),  # null: not yet proven, and not asked for
    Column("last_step", BigInteger, nullable=False),  # of the newest code used; no older one is taken
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("code_hash", LargeBinary(32), primary_key=True),  # SHA-256 of 80 random bits; gone once used
)

teams = Table(
    "teams",
    metadata,
    Column("id", String(40), primary_key=True),  # team_
    Column("name", String(100), nullable=False, unique=True),
    Column("byok_policy", String(20), nullable=True),  # null: the global one
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

team_members = Table(
    "team_members",
    metadata,
    # a user is in one team at most, so that every request has one purse
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("team_id", ForeignKey("teams.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),  # key_
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("secret_hash", LargeBinary(32), nullable=False, unique=True),  # SHA-256
    Column("preview", String(40), nullable=False),  # "sk-oc-ab…wxyz"
    Column("scope", String(16), nullable=False),
    Column("models", JSON, nullable=True),  # list of names, null: all
    Column("power_level", String(16), nullable=True),
    Column("providers", JSON, nullable=True),  # list of provider ids, null: all
    Column("requests_per_minute", Integer, nullable=True),
    Column("tokens_per_minute", Integer, nullable=True),
    Column("concurrent_requests", Integer, nullable=True),
    Column("ip_ranges", JSON, nullable=True),  # list of CIDR networks, null: from anywhere
    Column("tags", JSON, nullable=False, default=list, server_default="[]"),
    Column("byok_policy", String(20), nullable=True),  # null: the user's
    Column("expires_at", Instant, nullable=True),
    # the secret before the last rotation, while both work
    Column("previous_secret_hash", LargeBinary(32), nullable=True, unique=True),
    Column("previous_secret_ends_at", Instant, nullable=True),
    Column("revoked_at", Instant, nullable=True),
    Column("created_at", Instant, nullable=False),
    # a service key: the team's, whoever made it; null: the user's own
    Column("team_id", String(40), nullable=True),
)

providers = Table(
    "providers",
    metadata,
    Column("id", String(40), primary_key=True),  # prov_
    Column("name", String(100), nullable=False, unique=True),
    Column("type", String(40), nullable=False),
    Column("base_url", Text, nullable=False),
    Column("options", JSON, nullable=False, server_default="{}"),  # a region, a project, ...: name to text
    Column("enabled", Boolean, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("auto_fallback", Boolean, nullable=False),
    Column("allow_private_network", Boolean, nullable=False),
    Column("time_limits", JSON(none_as_null=True), nullable=True),  # `types.TimeLimits`
    # the last run of the test, shown on the card
    Column("test_at", Instant, nullable=True),
    Column("test_since", Instant, nullable=True),  # when tests began to say what the last one said
    Column("test_success", Boolean, nullable=True),
    Column("test_latency_ms", Integer, nullable=True),
    Column("test_message", Text, nullable=True),
    Column("test_error_type", String(40), nullable=True),
    # the last discovery of models
    Column("discovery_status", String(16), nullable=False, default="pending"),  # pending | ok | failed
    Column("discovery_message", Text, nullable=True),
    Column("discovery_at", Instant, nullable=True),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", String(40), primary_key=True),  # cred_
    # exactly one of the two owners: a provider (the platform's key) or a user and a type (BYOK)
    Column("provider_id", ForeignKey("providers.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("provider_type", String(40), nullable=True),
    Column("secret", LargeBinary, nullable=False),  # sealed by storage/secrets.py, bound to this row's id
    Column("preview", String(40), nullable=False),
    Column("weight", Integer, nullable=False, default=1),
    Column("enabled", Boolean, nullable=False, default=True),
    # a user's own key: when it was last proven or refused, and since when it has not worked
    Column("check_at", Instant, nullable=True),
    Column("check_success", Boolean, nullable=True),
    Column("check_latency_ms", Integer, nullable=True),
    Column("check_message", Text, nullable=True),
    Column("check_error_type", String(40), nullable=True),
    Column("failing_since", Instant, nullable=True),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "user_id", "provider_type", unique=True),
)

settings = Table(
    "settings",
    metadata,
    Column("key", String(60), primary_key=True),  # a section of control/settings
    Column("value", JSON, nullable=False),  # secrets masked; they are sealed below
    Column("version", Integer, nullable=False),  # counts changes, from 1
    Column("updated_at", Instant, nullable=False),
    Column("updated_by", String(40), nullable=True),
)

sealed_secrets = Table(
    "sealed_secrets",
    metadata,
    Column("name", String(120), primary_key=True),  # "setting:sign_in.oidc_client_secret"
    Column("secret", LargeBinary, nullable=False),  # sealed by storage/secrets.py, bound to the name
    Column("updated_at", Instant, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", String(40), primary_key=True),  # mdl_
    Column("provider_id", ForeignKey("providers.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(300), nullable=False),  # the provider's own id
    Column("enabled", Boolean, nullable=False),
    Column("origin", String(16), nullable=False),  # discovered | manual
    Column("discovered", JSON, nullable=True),  # facts from the provider's own list
    Column("override", JSON, nullable=True),  # the admin's word, which wins
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    UniqueConstraint("provider_id", "name"),
)

budgets = Table(
    "budgets",
    metadata,
    Column("id", String(40), primary_key=True),  # bud_
    Column("scope", String(16), nullable=False),  # everything | provider | team | user | api_key
    Column("subject_id", String(40), nullable=False),  # of that scope; empty for everything
    Column("period", String(16), nullable=False),  # day | week | month
    Column("amount_usd", Money, nullable=False),
    Column("hard", Boolean, nullable=False),  # true: refuse with 402; false: warn only
    Column(
        "warn_at", JSON, nullable=False, default=lambda: [50, 80, 100], server_default="[50, 80, 100]"
    ),  # percent
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("scope", "subject_id", "period"),
)

# Names that an admin made, or put in the place of a packaged one.
aliases = Table(
    "aliases",
    metadata,
    Column("name", String(200), primary_key=True),  # lower case
    Column("candidates", JSON, nullable=False),  # models' names, the best first
    Column("updated_at", Instant, nullable=False),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", String(40), primary_key=True),  # ntf_; of a webhook, what its receiver knows it by
    Column(
        "event", String(200), nullable=False
    ),  # what happened, told once (control/notifications/events.py)
    Column("type", String(40), nullable=False),  # "budget.threshold_reached"
    Column("channel", String(16), nullable=False),  # email | webhook
    Column("recipient", String(320), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("body", Text, nullable=False),  # as it is sent: the text of a mail, the JSON of a webhook
    Column("status", String(16), nullable=False),  # pending | delivered | failed
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Instant, nullable=True),  # while pending; also the end of a claim
    Column("outcome", Text, nullable=True),  # of the last attempt, in one sentence
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=True),
    UniqueConstraint("event", "channel", "recipient"),
    Index(None, "status", "next_attempt_at"),
)

# A condition of traffic from when it held until it did not; control/alerts.
alerts = Table(
    "alerts",
    metadata,
    Column("id", String(40), primary_key=True),  # alt_
    Column("rule", String(20), nullable=False),  # provider_down | error_rate | latency | spend | retirement
    Column("subject_id", String(300), nullable=False),  # of a provider or a model; empty for everything
    Column("subject_name", String(450), nullable=False),
    Column("open_key", String(330), nullable=True, unique=True),  # rule and subject; null once it is closed
    Column("text", Text, nullable=False),
    Column("figures", JSON, nullable=False),
    Column("requests", Text, nullable=True),  # those it was seen in, as a query
    Column("path", Text, nullable=False),  # of the console, where one acts
    Column("opened_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),  # when it was seen to hold last
    Column("calm_since", Instant, nullable=True),  # since when it does not hold any more
    Column("closed_at", Instant, nullable=True),
    Column("closed_text", Text, nullable=True),
    Column("acknowledged_at", Instant, nullable=True),
    Column("acknowledged_by", String(320), nullable=True),  # email
    Column("muted_until", Instant, nullable=True),
    Index(None, "opened_at", "id"),
    Index(None, "rule", "subject_id"),
)

routing_versions = Table(
    "routing_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=True),
    Column("rules", JSON, nullable=False),
    # everything else that decides where requests go; null: kept by a release that knew the rules alone
    Column("config", JSON(none_as_null=True), nullable=True),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(40), nullable=True),
    Column("created_by_email", String(320), nullable=False, default="", server_default=""),  # as it was then
    Column("action", String(60), nullable=False, default="routing.update", server_default="routing.update"),
    Column("summary", Text, nullable=False, default="", server_default=""),
    Column("changes_total", Integer, nullable=False, default=0, server_default="0"),
    Column("restored_from", Integer, nullable=True),  # the version that a rollback returned to
)

# Policies that are not live. `changes` and `replay`: control/routing_drafts.
routing_drafts = Table(
    "routing_drafts",
    metadata,
    Column("id", String(40), primary_key=True),  # drf_
    Column("name", String(100), nullable=False),
    Column("changes", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by_email", String(320), nullable=False),
    Column("updated_at", Instant, nullable=False),  # of the changes
    Column("replay", JSON(none_as_null=True), nullable=True),  # the last one
)

# What the address of a page said, under a name: control/saved_views.
saved_views = Table(
    "saved_views",
    metadata,
    Column("id", String(40), primary_key=True),  # view_
    Column("page", String(16), nullable=False),  # usage | requests
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("query", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("user_id", "page", "name"),
)

# What a page opens with, for each user.
default_views = Table(
    "default_views",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("page", String(16), primary_key=True),
    Column("view_id", ForeignKey("saved_views.id", ondelete="CASCADE"), nullable=False, index=True),
)

usage_records = Table(
    "usage_records",
    metadata,
    Column("request_id", String(40), primary_key=True),  # req_, sorts by time
    Column("started_at", Instant, nullable=False),
    Column("duration_seconds", Float, nullable=False),
    Column("time_to_first_chunk_seconds", Float, nullable=True),
    Column("endpoint", String(40), nullable=False),
    Column("status", Integer, nullable=False),
    Column("error_type", String(60), nullable=True),
    Column("finish_reason", String(60), nullable=True),
    Column("stream", Boolean, nullable=False),
    Column("requested_model", String(300), nullable=False),
    Column("strategy", String(16), nullable=True),
    # names as they were then; no foreign keys, so history outlives what it names
    Column("api_key_id", String(40), nullable=False),
    Column("api_key_name", String(200), nullable=False),
    Column("user_id", String(40), nullable=False),
    Column("user_email", String(320), nullable=False),
    Column("team_id", String(40), nullable=True),
    Column("team_name", String(100), nullable=True),
    Column("provider_id", String(40), nullable=True),
    Column("provider_name", String(100), nullable=True),
    Column("provider_type", String(40), nullable=True),
    Column("model", String(300), nullable=True),
    Column("credential_source", String(16), nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("cache_write_1h_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cost_usd", Money, nullable=True),
    Column("cost_source", String(16), nullable=False),
    Column("cost_note", Text, nullable=True),
    Column("price_source", String(100), nullable=True),
    Column("listed_cost_usd", Money, nullable=True),  # where the provider reported its own cost
    Column("own_cost_usd", Money, nullable=True),
    Column("own_cost_source", String(16), nullable=True),  # null: not on a user's own key
    Column("saved_usd", Money, nullable=True),
    Column("fallback_from", String(16), nullable=True),  # whose credential had failed before
    Column("queue_seconds", Float, nullable=True),  # waited for a place in a limit; null: not at all
    Column("tags", JSON(none_as_null=True), nullable=True),  # of the API key then; null: none
    Column("extras", JSON(none_as_null=True), nullable=True),  # `types.Extras`
    Column("fingerprint", BigInteger, nullable=True),  # of the body, under a key of the installation
    # of a beginning that the provider would have cached, had it been marked, and its estimated length
    Column("opening", BigInteger, nullable=True),
    Column("opening_tokens", BigInteger, nullable=True),
    Column("late_price_id", String(40), nullable=True),  # priced in arrears, by this row of `late_prices`
    Column("replay_of", String(40), nullable=True),  # the request that was sent again; null: none
    Column("demo", Boolean, nullable=False, default=False),  # made-up traffic of `ops-center demo`
    Index(None, "started_at", "request_id"),
    Index(None, "provider_id", "started_at"),
    Index(None, "api_key_id", "started_at"),
    Index(None, "user_id", "started_at"),
    Index(None, "team_id", "started_at"),
    Index(None, "model", "started_at"),
    # few rows each: the ledger of own keys, and the steps from one purse to the other
    Index(
        "ix_usage_records_own",
        "user_id",
        "started_at",
        sqlite_where=text("own_cost_source IS NOT NULL"),
        postgresql_where=text("own_cost_source IS NOT NULL"),
    ),
    Index(
        "ix_usage_records_fallback",
        "started_at",
        sqlite_where=text("fallback_from IS NOT NULL"),
        postgresql_where=text("fallback_from IS NOT NULL"),
    ),
    # those with a beginning to cache, with all that advice asks of them
    Index(
        "ix_usage_records_opening",
        "started_at",
        "provider_id",
        "model",
        "opening",
        "opening_tokens",
        "api_key_id",
        "credential_source",
        sqlite_where=text("opening IS NOT NULL"),
        postgresql_where=text("opening IS NOT NULL"),
    ),
    Index(
        "ix_usage_records_replay",
        "replay_of",
        sqlite_where=text("replay_of IS NOT NULL"),
        postgresql_where=text("replay_of IS NOT NULL"),
    ),
    # those that need a price, with all that the list of them says
    Index(
        "ix_usage_records_unpriced",
        "provider_id",
        "model",
        "started_at",
        "input_tokens",
        "output_tokens",
        sqlite_where=text("cost_source = 'unknown' OR own_cost_source = 'unknown'"),
        postgresql_where=text("cost_source = 'unknown' OR own_cost_source = 'unknown'"),
    ),
)

# Prices that came after the requests they priced; control/arrears.
late_prices = Table(
    "late_prices",
    metadata,
    Column("id", String(40), primary_key=True),  # lpr_
    Column("provider_id", String(40), nullable=False),  # no foreign key: history outlives what it names
    Column("provider_name", String(100), nullable=False),
    Column("model", String(300), nullable=False),
    Column("price", JSON, nullable=False),  # `types.Price`
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant, nullable=True),  # null: under way
    Column("records", BigInteger, nullable=False),  # priced so far
    Column("cost_usd", Money, nullable=False),  # what they came to, for the platform
    Column("own_cost_usd", Money, nullable=False),  # and for users, on their own keys
    Column("estimated_cost_usd", Money, nullable=False, default=Decimal(0)),  # how much of these is estimated
    Column("estimated_own_cost_usd", Money, nullable=False, default=Decimal(0)),
    Index(None, "provider_id", "model"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("request_id", String(40), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("provider_id", String(40), nullable=False),
    Column("provider_name", String(100), nullable=False),
    Column("model", String(300), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("duration_seconds", Float, nullable=False),
    Column("time_to_first_chunk_seconds", Float, nullable=True),
    Column("status", Integer, nullable=True),
    Column("outcome", String(60), nullable=False),
    Column("detail", Text, nullable=True),
    Column("credential_source", String(16), nullable=False, default="platform"),
    Index(None, "provider_id", "started_at"),
)

# How each request was routed: `plan_record.PlanRecord` as JSON, apart so that usage rows stay narrow.
plans = Table(
    "plans",
    metadata,
    Column("request_id", String(40), primary_key=True),
    Column("started_at", Instant, nullable=False),  # not indexed: `usage_records` is, and joins by id
    Column("plan", Text, nullable=False),
)

# Prompts and answers, where an admin chose to keep them: control/bodies.
request_bodies = Table(
    "request_bodies",
    metadata,
    Column("request_id", String(40), primary_key=True),
    Column("started_at", Instant, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # redacted JSON under a key of its own, which is sealed
)

journal_positions = Table(
    "journal_positions",
    metadata,
    Column("segment", String(200), primary_key=True),
    Column("offset", BigInteger, nullable=False),  # bytes already in usage_records
)

# What each transaction stored, in its order, so that a list can go on from where it was: the newest few hundred.
stored_batches = Table(
    "stored_batches",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # counts up, without a gap
    Column("records", Integer, nullable=False),
    Column("from_at", Instant, nullable=False),  # when the first of them started
    Column("request_ids", Text, nullable=False),  # a JSON list, in the order of the journal
)

# What records are counted under: every fact by which they can be grouped ("full"), those of who asked ("caller"),
# those of where it went ("way"), and for each fact a series that knows only that one, so that a chart reads a
# handful of rows per day ("own": the calls on users' own keys, by user and type); storage/rollups/.
usage_series = Table(
    "usage_series",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # a hash of all that follows
    Column("kind", String(16), nullable=False),
    Column("provider_id", String(40), nullable=True),
    Column("provider_name", String(100), nullable=True),
    Column("provider_type", String(40), nullable=True),
    Column("model", String(300), nullable=True),
    Column("api_key_id", String(40), nullable=True),
    Column("api_key_name", String(200), nullable=True),
    Column("user_id", String(40), nullable=True),
    Column("user_email", String(320), nullable=True),
    Column("team_id", String(40), nullable=True),
    Column("team_name", String(100), nullable=True),
    Column("credential_source", String(16), nullable=True),
    Column("status", Integer, nullable=True),
    Column("strategy", String(16), nullable=True),
    Column("tags", Text, nullable=True),  # a JSON list
    Index(None, "kind"),
)


def _rollup(name: str, *constraints: SchemaItem) -> Table:
    """Sums of the usage records of one series in one slot of time. Money in nano-dollars, times in microseconds."""
    return Table(
        name,
        metadata,
        Column("kind", String(16), nullable=False),
        Column("slot", Integer, nullable=False, autoincrement=False),
        Column("series_id", BigInteger, nullable=False, autoincrement=False),
        Column("calls", BigInteger, nullable=False),
        Column("failed_calls", BigInteger, nullable=False),  # status 400 and above
        Column("input_tokens", BigInteger, nullable=False),
        Column("output_tokens", BigInteger, nullable=False),
        Column("cache_read_tokens", BigInteger, nullable=False),
        Column("cache_write_tokens", BigInteger, nullable=False),
        Column("cache_write_1h_tokens", BigInteger, nullable=False),
        Column("reasoning_tokens", BigInteger, nullable=False),
        Column("provider_cost_usd", Money, nullable=False),  # cost_usd by its cost_source
        Column("computed_cost_usd", Money, nullable=False),
        Column("estimated_cost_usd", Money, nullable=False),
        Column("estimated_cost_calls", BigInteger, nullable=False),
        Column("unknown_cost_calls", BigInteger, nullable=False),
        Column("priced_tokens", BigInteger, nullable=False),  # what the platform paid, and knows how much
        Column("cache_hit_calls", BigInteger, nullable=False),
        Column("byok_calls", BigInteger, nullable=False),
        Column("own_cost_usd", Money, nullable=False),
        # of it; as much is estimated of `saved_usd`, which is the same amount where tokens were not reported
        Column("estimated_own_cost_usd", Money, nullable=False, server_default="0"),
        Column("unknown_own_cost_calls", BigInteger, nullable=False),
        Column("saved_usd", Money, nullable=False),
        Column("unknown_saving_calls", BigInteger, nullable=False),
        Column(
            "fallback_calls", BigInteger, nullable=False, server_default="0"
        ),  # after an own key had failed
        Column("fallback_cost_usd", Money, nullable=False, server_default="0"),
        Column("estimated_fallback_cost_usd", Money, nullable=False, server_default="0"),
        Column("answer_tokens", BigInteger, nullable=False),  # output of the calls that succeeded
        Column("answer_microseconds", BigInteger, nullable=False),  # first chunk (else start) to the end
        Column("last_started_at", Instant, nullable=False),
        # histograms of the calls that succeeded: storage/rollups/histogram.py
        Column("latencies", LargeBinary, nullable=True),
        Column("first_chunks", LargeBinary, nullable=True),
        *constraints,
        sqlite_with_rowid=False,
    )


# Slots are numbered since 1970. Quarter-hours and hours are those of UTC; the running ones are written all the time,
# and lie together. Days are those of the organisation's calendar, weeks seven of them from a Monday on: there a series
# lies together, since few are asked for at once. Hours, days and weeks are written when they are over.
usage_quarters = _rollup(
    "usage_quarters", PrimaryKeyConstraint("kind", "slot", "series_id"), Index(None, "series_id", "slot")
)
usage_hours = _rollup(
    "usage_hours", PrimaryKeyConstraint("kind", "slot", "series_id"), Index(None, "series_id", "slot")
)
usage_days = _rollup(
    "usage_days", PrimaryKeyConstraint("kind", "series_id", "slot"), Index(None, "kind", "slot")
)
usage_weeks = _rollup(
    "usage_weeks", PrimaryKeyConstraint("kind", "series_id", "slot"), Index(None, "kind", "slot")
)

rollup_state = Table(
    "rollup_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: the only row
    Column("time_zone", String(64), nullable=False),  # whose days usage_days holds
    Column("days_from", Integer, nullable=False),  # usage_days can be read from this slot on
    # and up to this one: the days from it on are not over, and are read by their quarter-hours
    Column("days_until", Integer, nullable=False, default=0, server_default="0"),
    Column("hours_until", Integer, nullable=False, default=0, server_default="0"),  # the same of hours
    Column("weeks_until", Integer, nullable=False, default=0, server_default="0"),  # and of weeks, which are
    Column("weeks_from", Integer, nullable=False, default=0, server_default="0"),  # there from this one on
    Column("quarters_from", Integer, nullable=False),  # older ones were deleted, as retention says
    Column("records_from", Integer, nullable=False),  # the same of usage records, in quarter-hours
    Column("plans_from", Integer, nullable=False, default=0, server_default="0"),  # the same of plans
    # PostgreSQL: the day, in UTC, from which on each has a partition of its own; storage/partitions.py
    Column("partitions_from", Integer, nullable=False, default=0, server_default="0"),
    # the day with which the quarter-hours begin: those before it can be cut anew no more
    Column("days_fixed_before", Integer, nullable=False, default=0, server_default="0"),
    Column("layout", Integer, nullable=False),  # what the rollups were built as; 0: never
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", String(40), primary_key=True),  # aud_, sorts by time
    Column("at", Instant, nullable=False),
    Column("actor_id", String(40), nullable=True),
    Column("actor_email", String(320), nullable=False),
    Column("action", String(60), nullable=False),  # "provider.create"
    Column("object_type", String(40), nullable=False),
    Column("object_id", String(40), nullable=False),
    Column("object_name", String(320), nullable=False),
    Column("before", JSON, nullable=True),  # secrets masked
    Column("after", JSON, nullable=True),
    Column("ip_address", String(64), nullable=False),
    # the chain: see control/audit_log/chain.py. Triggers refuse UPDATE and DELETE, so a migration that
    # rebuilds this table has to make them again.
    Column("sequence", BigInteger, nullable=False, unique=True),  # from 1, without a gap
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),  # SHA-256 of all of the above, as hex
    Index(None, "at"),
    Index(None, "object_type", "object_id"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: the only row
    Column("sequence", BigInteger, nullable=False),  # of the newest entry, 0 before the first
    Column("hash", String(64), nullable=False),
)

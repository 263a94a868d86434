/** What the console keeps in the URL: plain strings, so that addresses can be read and typed. */
import { parseSearchWith, stringifySearchWith } from "@tanstack/react-router";

import type { Bucket, Dimension, ErrorType, HomeSpan, Metric, ModelsSort, Period } from "@/api/types";

export const parseSearch = parseSearchWith((text) => text);
export const stringifySearch = stringifySearchWith(String);

type RawSearch = Record<string, unknown>;

/** The router reads "1" and "true" in an address as a number and a boolean; here they are the words they were. */
function text(raw: unknown): string | undefined {
  if (typeof raw === "number" || typeof raw === "boolean") return String(raw);
  return typeof raw === "string" && raw !== "" ? raw : undefined;
}

function oneOf<T extends string>(raw: unknown, allowed: readonly T[]): T | undefined {
  return allowed.find((value) => value === text(raw));
}

export const PERIODS: readonly { value: Period; label: string }[] = [
  { value: "7d", label: "7 days" },
  { value: "30d", label: "30 days" },
  { value: "90d", label: "90 days" },
  { value: "all", label: "All Time" },
];
export const BUCKETS: readonly { value: Bucket; label: string }[] = [
  { value: "day", label: "Day" },
  { value: "week", label: "Week" },
  { value: "month", label: "Month" },
];

export interface RangeSearch {
  period?: Period;
  bucket?: Bucket;
}

export function rangeSearch(raw: RawSearch): RangeSearch {
  return {
    period: oneOf(raw.period, PERIODS.map((one) => one.value)),
    bucket: oneOf(raw.bucket, BUCKETS.map((one) => one.value)),
  };
}

export const SPANS: readonly { value: HomeSpan; label: string }[] = [
  { value: "24h", label: "24 hours" },
  { value: "7d", label: "7 days" },
  { value: "30d", label: "30 days" },
];
export const DEFAULT_SPAN: HomeSpan = "7d";

/** What the home page compares with as long before. */
export const homeSearch = (raw: RawSearch): { span?: HomeSpan } => ({
  span: oneOf(raw.span, SPANS.map((one) => one.value)),
});

/** Open alerts, or those that are over. */
export const alertsSearch = (raw: RawSearch): { state?: "closed"; cursor?: string } => ({
  state: oneOf(raw.state, ["closed"] as const),
  cursor: text(raw.cursor),
});

export interface ProvidersSearch extends RangeSearch {
  /** Opens the Add Provider dialog. */
  add?: string;
  /** Opens the Configure dialog of the provider with this id. */
  configure?: string;
}

export const providersSearch = (raw: RawSearch): ProvidersSearch => ({
  ...rangeSearch(raw),
  add: text(raw.add),
  configure: text(raw.configure),
});

/** What usage and requests are filtered by, under the API's own names; `none` means requests that have none. */
export interface FilterSearch {
  status?: "ok" | "error";
  provider_id?: string;
  model?: string;
  user_id?: string;
  team_id?: string;
  api_key_id?: string;
  tag?: string;
  credential?: "platform" | "byok" | "none";
  status_code?: string;
  strategy?: string;
}

const httpStatus = (raw: unknown): string | undefined => {
  const typed = text(raw);
  return typed && /^[1-5]\d\d$/.test(typed) ? typed : undefined;
};

const filterSearch = (raw: RawSearch): FilterSearch => ({
  status: oneOf(raw.status, ["ok", "error"] as const),
  provider_id: text(raw.provider_id),
  model: text(raw.model),
  user_id: text(raw.user_id),
  team_id: text(raw.team_id),
  api_key_id: text(raw.api_key_id),
  tag: text(raw.tag),
  credential: oneOf(raw.credential, ["platform", "byok", "none"] as const),
  status_code: httpStatus(raw.status_code),
  strategy: text(raw.strategy),
});

export const METRICS = [
  "cost",
  "calls",
  "errors",
  "error_rate",
  "tokens",
  "input_tokens",
  "output_tokens",
  "latency_p50",
  "latency_p95",
  "time_to_first_chunk_p50",
  "time_to_first_chunk_p95",
  "tokens_per_second",
  "cache_hit_rate",
  "savings",
] as const satisfies readonly Metric[];

export const DIMENSIONS = [
  "provider",
  "model",
  "user",
  "team",
  "api_key",
  "tag",
  "credential",
  "status",
  "strategy",
] as const satisfies readonly Dimension[];

export interface UsageSearch extends RangeSearch, FilterSearch {
  metric?: Metric;
  group?: Dimension | "none";
  /** The numbers of the chart instead of the chart. */
  view?: "table";
  /** The saved view that was opened last. */
  saved?: string;
}

export const usageSearch = (raw: RawSearch): UsageSearch => ({
  ...rangeSearch(raw),
  ...filterSearch(raw),
  metric: oneOf(raw.metric, METRICS),
  group: oneOf(raw.group, [...DIMENSIONS, "none" as const]),
  view: oneOf(raw.view, ["table"] as const),
  saved: text(raw.saved),
});

export const ERROR_TYPES = [
  "invalid_request_error",
  "permission_error",
  "not_found_error",
  "model_not_found",
  "request_too_large",
  "rate_limit_error",
  "budget_exceeded",
  "limits_unavailable",
  "provider_unreachable",
  "address_not_allowed",
  "provider_timeout",
  "provider_rate_limited",
  "provider_auth_error",
  "provider_failed",
  "provider_unusable_answer",
  "provider_error",
  "no_provider_left",
  "client_closed",
  "shutdown",
  "internal_error",
] as const satisfies readonly ErrorType[];

const amount = (raw: unknown): string | undefined => {
  const typed = text(raw);
  return typed !== undefined && Number(typed) >= 0 ? typed : undefined;
};

const instant = (raw: unknown): string | undefined => {
  const typed = text(raw);
  return typed && /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(typed) && !Number.isNaN(Date.parse(typed)) ? typed : undefined;
};

export interface RequestsSearch extends FilterSearch {
  search?: string;
  /** What the request failed with. */
  error_type?: ErrorType;
  /** The least it cost, in USD, and took. */
  min_cost_usd?: string;
  min_duration_ms?: string;
  /** New requests appear as they end. */
  live?: "on";
  /** Started then or later, and before then, as in 2026-11-23T00:00:00Z. */
  from_at?: string;
  to_at?: string;
  /** The saved view that was opened last. */
  saved?: string;
  /** Pages are walked by cursor, so back and reload keep the page. */
  cursor?: string;
  /** The request whose details are open. */
  request?: string;
}

export const requestsSearch = (raw: RawSearch): RequestsSearch => ({
  ...filterSearch(raw),
  search: text(raw.search),
  error_type: oneOf(raw.error_type, ERROR_TYPES),
  min_cost_usd: amount(raw.min_cost_usd),
  min_duration_ms: amount(raw.min_duration_ms),
  from_at: instant(raw.from_at),
  to_at: instant(raw.to_at),
  live: oneOf(raw.live, ["on"] as const),
  saved: text(raw.saved),
  cursor: text(raw.cursor),
  request: text(raw.request),
});

export interface RoutingHistorySearch {
  cursor?: string;
  /** The version whose details are open. */
  version?: number;
}

export const routingHistorySearch = (raw: RawSearch): RoutingHistorySearch => {
  const version = Number(text(raw.version));
  return { cursor: text(raw.cursor), version: Number.isInteger(version) && version > 0 ? version : undefined };
};

export interface TimeMachineSearch {
  /** The draft that is open. */
  draft?: string;
}

export const timeMachineSearch = (raw: RawSearch): TimeMachineSearch => ({ draft: text(raw.draft) });

export interface ModelsSearch {
  /** Something else than the models. */
  view?: "aliases" | "needs-price";
  search?: string;
  provider_id?: string;
  enabled?: "true" | "false";
  capability?: string;
  /** The most that a million input tokens may cost, in USD. */
  max_price?: string;
  /** Tokens. */
  min_context?: string;
  sort?: ModelsSort;
  page?: string;
}

export const MODEL_SORTS = ["name", "provider", "context", "price", "score"] as const;

export const modelsSearch = (raw: RawSearch): ModelsSearch => ({
  search: text(raw.search),
  provider_id: text(raw.provider_id),
  enabled: oneOf(raw.enabled, ["true", "false"] as const),
  view: oneOf(raw.view, ["aliases", "needs-price"] as const),
  capability: text(raw.capability),
  max_price: amount(raw.max_price),
  min_context: amount(raw.min_context),
  sort: oneOf(
    raw.sort,
    MODEL_SORTS.flatMap((one) => [one, `-${one}` as const]),
  ),
  page: text(raw.page),
});

/** The model that the playground asks for, so that other pages can link to a try of theirs. */
export const playgroundSearch = (raw: RawSearch): { model?: string } => ({ model: text(raw.model) });

export const usersSearch = (raw: RawSearch): { search?: string } => ({ search: text(raw.search) });

export const apiKeysSearch = (raw: RawSearch): { create?: string } => ({ create: text(raw.create) });

export interface AuditLogSearch {
  actor?: string;
  action?: string;
  object?: string;
  /** Days, as in 2026-11-23, in the reader's own time zone. */
  from?: string;
  to?: string;
  cursor?: string;
}

const day = (raw: unknown): string | undefined => {
  const typed = text(raw);
  return typed && /^\d{4}-\d{2}-\d{2}$/.test(typed) && !Number.isNaN(Date.parse(typed)) ? typed : undefined;
};

export const auditLogSearch = (raw: RawSearch): AuditLogSearch => ({
  actor: text(raw.actor),
  action: text(raw.action),
  object: text(raw.object),
  from: day(raw.from),
  to: day(raw.to),
  cursor: text(raw.cursor),
});

/** Only an address of this very site may be a way back after sign-in. */
export const loginSearch = (raw: RawSearch): { redirect?: string } => {
  const wanted = text(raw.redirect);
  return { redirect: wanted && /^\/(?![/\\])/.test(wanted) ? wanted : undefined };
};
export const inviteSearch = (raw: RawSearch): { token?: string } => ({ token: text(raw.token) });
export const ssoSearch = (raw: RawSearch): { code?: string; state?: string; error?: string } => ({
  code: text(raw.code),
  state: text(raw.state),
  error: text(raw.error),
});
export const setupSearch = (raw: RawSearch): { token?: string } => ({ token: text(raw.token) });

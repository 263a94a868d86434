/** The control API's shapes, under the names that the console uses. */

export type Role = "admin" | "operator" | "user" | "viewer";
export type PowerLevel = "eco" | "balanced" | "precision";
export type Strategy = "cost" | "balanced" | "quality";
export type Period = "7d" | "30d" | "90d" | "all";
export type Bucket = "day" | "week" | "month";

export interface User {
  id: string;
  email: string;
  name: string;
  role: Role;
  power_level: PowerLevel | null;
  created_at: string;
  disabled: boolean;
}

export interface System {
  version: string;
  demo: boolean;
}

export interface ProviderType {
  type: string;
  name: string;
  description: string;
  color: string;
  get_key_url: string | null;
  key_prefix: string | null;
  recommended_for: string | null;
  cost_range: { min_usd: number; max_usd: number } | null;
  default_base_url: string | null;
  requires_base_url: boolean;
  requires_key: boolean;
  models_count: number;
}

export interface Provider {
  id: string;
  name: string;
  type: string;
  type_name: string;
  color: string;
  base_url: string | null;
  enabled: boolean;
  priority: number;
  auto_fallback: boolean;
  allow_private_network: boolean;
  credential_preview: string | null;
  status: "enabled" | "disabled";
  health: { status: "healthy" | "degraded" | "down" | "unknown"; reason: string | null; since: string | null };
  models_count: number;
  discovery: { status: "pending" | "ok" | "failed"; message: string | null; at: string | null };
  last_test: {
    at: string;
    success: boolean;
    latency_ms: number | null;
    message: string;
    error_type: string | null;
  } | null;
  average_cost_usd: number | null;
  requests_30d: number;
  cost_30d_usd: number | null;
  latency_p50_ms: number | null;
  created_at: string;
  updated_at: string;
  demo: boolean;
}

export interface ProviderInput {
  type: string;
  name?: string;
  api_key?: string;
  base_url?: string;
  priority?: number;
  auto_fallback?: boolean;
  enabled?: boolean;
  allow_private_network?: boolean;
}

export type ProviderChange = Partial<Omit<ProviderInput, "type">>;

export interface TestInput {
  type: string;
  api_key?: string;
  base_url?: string;
  allow_private_network?: boolean;
  provider_id?: string;
}

export interface TestResult {
  success: boolean;
  latency_ms: number | null;
  message: string;
  error_type: string | null;
  hint: string | null;
  models_found: number | null;
}

interface UseCounts {
  requests: number;
  api_keys: number;
  users: number;
}

export interface Impact {
  provider_id: string;
  name: string;
  last_24h: UseCounts;
  last_30d: UseCounts;
  models_without_provider: string[];
  models_without_provider_total: number;
  models_served_elsewhere: { model: string; providers: string[] }[];
  models_served_elsewhere_total: number;
  in_use: boolean;
}

export interface Price {
  input_mtok: number;
  output_mtok: number;
  cache_read_mtok: number | null;
  cache_write_mtok: number | null;
  tiered: boolean;
  source: string;
  as_of: string;
}

export interface Model {
  id: string;
  provider_id: string;
  provider_name: string;
  name: string;
  display_name: string;
  enabled: boolean;
  origin: "discovered" | "manual";
  context_window: number | null;
  max_output_tokens: number | null;
  capabilities: string[];
  price: Price | null;
  score: number | null;
  score_source: string | null;
  served_as: string[];
  overridden: string[];
}

export interface ModelChange {
  enabled?: boolean;
  input_mtok?: number | null;
  output_mtok?: number | null;
  score?: number | null;
  context_window?: number | null;
}

export interface RoutingRules {
  strategy: Strategy;
  version: number;
  updated_at: string | null;
  strategies: Record<
    Strategy,
    {
      target_usd_mtok: number;
      measured_usd_mtok: number | null;
      models: { provider: string; model: string; blended_mtok: number | null }[];
    }
  >;
}

export interface UsageTotals {
  calls: number;
  input_tokens: number;
  output_tokens: number;
  cost_usd: number;
  unknown_cost_calls: number;
  estimated_cost_usd: number;
}

export interface UsageCards {
  total_providers: number;
  active_models: number;
  calls_30d: number;
  calls_trend_pct: number | null;
  cost_30d_usd: number;
  cost_trend_pct: number | null;
  unknown_cost_calls_30d: number;
  computed_at: string;
  calls_series: number[];
  cost_series: number[];
}

export interface Usage {
  period: Period;
  totals: UsageTotals;
  trends: { calls_pct: number | null; cost_pct: number | null };
  cards?: UsageCards | null;
  series: { start_at: string; calls: number; cost_usd: number }[];
  cost_by_provider: { provider: string; cost_usd: number; share: number }[];
  generated_at: string;
}

export type CostSource = "provider" | "computed" | "estimated" | "unknown";

export interface RequestRow {
  id: string;
  started_at: string;
  duration_ms: number;
  time_to_first_chunk_ms: number | null;
  endpoint: string;
  status: number;
  error_type: string | null;
  finish_reason: string | null;
  stream: boolean;
  requested_model: string;
  strategy: Strategy | null;
  provider_id: string | null;
  provider_name: string | null;
  model: string | null;
  api_key_id: string | null;
  api_key_name: string | null;
  user_email: string | null;
  credential: string | null;
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  cost_usd: number | null;
  cost_source: CostSource;
  cost_note: string | null;
  price_source: string | null;
  demo: boolean;
}

export interface Attempt {
  number: number;
  provider_id: string;
  provider_name: string;
  model: string;
  started_at: string;
  duration_ms: number;
  time_to_first_chunk_ms: number | null;
  status: number | null;
  outcome: string;
  detail: string | null;
}

export type RequestDetail = RequestRow & { attempts: Attempt[] };

export interface ApiKey {
  id: string;
  name: string;
  preview: string;
  scope: "inference" | "admin";
  models: string[] | null;
  power_level: PowerLevel | null;
  requests_per_minute: number | null;
  budget_usd: number | null;
  expires_at: string | null;
  created_at: string;
  revoked_at: string | null;
  last_used_at: string | null;
  requests_30d: number;
  cost_30d_usd: number | null;
}

export interface ApiKeyInput {
  name: string;
  scope?: "inference" | "admin";
  expires_at?: string | null;
  models?: string[] | null;
  power_level?: PowerLevel | null;
  requests_per_minute?: number | null;
  budget_usd?: number | null;
}

export type NewApiKey = ApiKey & { secret: string };

export type OwnedApiKey = ApiKey & { user_id: string; user_email: string };

export interface UserInput {
  email: string;
  name?: string;
  password?: string;
  role?: Role;
}

export interface UserChange {
  name?: string;
  role?: Role;
  power_level?: PowerLevel | null;
  disabled?: boolean;
  password?: string;
}

export interface AuditEntry {
  id: string;
  at: string;
  actor_email: string;
  action: string;
  object_type: string;
  object_id: string;
  object_name: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  ip_address: string;
}

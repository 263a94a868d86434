/** What metrics, groups and their values are called, and how a figure of each unit reads. */
import type { Dimension, Explore, ExploreGroup, Metric, Unit } from "@/api/types";
import { count, countExact, duration, money, moneyExact, share } from "@/format/format";

import { OTHER } from "./slices";

export const METRIC_LABELS: Record<Metric, string> = {
  cost: "Cost",
  calls: "Calls",
  errors: "Errors",
  error_rate: "Error rate",
  tokens: "Tokens",
  input_tokens: "Input tokens",
  output_tokens: "Output tokens",
  latency_p50: "Latency, p50",
  latency_p95: "Latency, p95",
  time_to_first_chunk_p50: "Time to first chunk, p50",
  time_to_first_chunk_p95: "Time to first chunk, p95",
  tokens_per_second: "Tokens per second",
  cache_hit_rate: "Cache hits",
  savings: "Savings",
};

/** Metrics that are better the lower they are. */
export const LESS_IS_GOOD: ReadonlySet<Metric> = new Set<Metric>([
  "cost",
  "errors",
  "error_rate",
  "latency_p50",
  "latency_p95",
  "time_to_first_chunk_p50",
  "time_to_first_chunk_p95",
]);

export const DIMENSION_LABELS: Record<Dimension, string> = {
  provider: "Provider",
  model: "Model",
  user: "User",
  team: "Team",
  api_key: "API key",
  tag: "Tag",
  credential: "Credential",
  status: "Status",
  strategy: "Strategy",
};

/** "Model" → "model", but "API key" as it is. */
export const inSentence = (label: string): string =>
  /^[A-Z][a-z]/.test(label) ? label[0]!.toLowerCase() + label.slice(1) : label;

const CREDENTIALS: Record<string, string> = { platform: "Platform keys", byok: "Own keys" };

export function valueLabel(dimension: Dimension, value: string | null, name: string | null): string {
  if (value === null) return `No ${dimension === "api_key" ? "API key" : dimension}`;
  if (dimension === "credential") return CREDENTIALS[value] ?? value;
  return name ?? value;
}

/** One figure, short or with every digit; a dash where there is nothing to measure. */
export function figure(value: number | null, unit: Unit, exact = false): string {
  if (value === null) return "–";
  switch (unit) {
    case "usd":
      return exact ? moneyExact(value) : money(value);
    case "seconds":
      return duration(value * 1000);
    case "share":
      return share(value);
    case "tokens_per_second":
      return `${count(value)} / s`;
    default:
      return exact ? countExact(value) : count(value);
  }
}

/** One line of the chart. `group` is null for everything together. */
export interface Line {
  label: string;
  group: ExploreGroup | null;
  points: Explore["points"];
  /** Null where no one filter lists its requests. */
  requests: string | null;
}

/** Nothing is known of its cost: a $0 would be a lie. */
export const isUnpriced = (metric: Metric, group: Pick<ExploreGroup, "cost_usd" | "unknown_cost_calls">): boolean =>
  metric === "cost" && group.cost_usd === 0 && group.unknown_cost_calls > 0;

/** The lines of the chart: the groups and what is left of them, or everything as one. */
export function linesOf(explored: Explore): Line[] {
  const { group: by, groups, other } = explored;
  if (by === null) {
    return [{ label: METRIC_LABELS[explored.metric], group: null, points: explored.points, requests: explored.requests }];
  }
  const lines: Line[] = groups.map((group) => ({
    label: valueLabel(by, group.value, group.name),
    group,
    points: isUnpriced(explored.metric, group) ? group.points.map((point) => ({ ...point, value: null })) : group.points,
    requests: group.requests,
  }));
  if (other) {
    const label = `${OTHER} (${explored.groups_total - groups.length})`;
    lines.push({ label, group: other, points: other.points, requests: null });
  }
  return lines;
}

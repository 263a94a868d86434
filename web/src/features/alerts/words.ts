/** How alerts are spoken of. */
import type { Alert, AlertRules } from "@/api/types";
import { countExact, duration, money, share } from "@/format/format";

export const RULE_LABELS: Record<Alert["rule"], string> = {
  provider_down: "Provider down",
  error_rate: "Error rate",
  latency: "Latency",
  spend: "Spending",
  retirement: "Retirement",
};

export function figureText({ value, unit }: Alert["figures"][number]): string {
  switch (unit) {
    case "usd":
      return money(value);
    case "share":
      return share(value);
    case "seconds":
      return duration(value * 1000);
    default:
      return countExact(value);
  }
}

export interface RuleField {
  name: keyof AlertRules;
  label: string;
  min: number;
  max: number;
  decimals: boolean;
}

export interface RuleWords {
  rule: Alert["rule"];
  label: string;
  says: string;
  fields: RuleField[];
}

const LEAST = "Fewest requests";

export const RULES: RuleWords[] = [
  {
    rule: "provider_down",
    label: "A provider is down",
    says: "A circuit of it is open and no call has succeeded since. It ends with the first call or test that succeeds.",
    fields: [],
  },
  {
    rule: "error_rate",
    label: "Many requests fail",
    says: "Of one provider, with a status of 500 or more, in the running quarter-hour and the two before. It ends below half of it.",
    fields: [
      { name: "error_rate_percent", label: "Failed, in %", min: 1, max: 100, decimals: false },
      { name: "error_rate_least_requests", label: LEAST, min: 1, max: 1_000_000, decimals: false },
    ],
  },
  {
    rule: "latency",
    label: "A model is slow",
    says: "Its p95 in the same time, against its own last seven days. It ends below three quarters of what rings.",
    fields: [
      { name: "latency_factor", label: "Times the usual p95", min: 1.1, max: 1000, decimals: true },
      { name: "latency_least_seconds", label: "But never below, in s", min: 0, max: 3600, decimals: true },
      { name: "latency_least_requests", label: LEAST, min: 1, max: 1_000_000, decimals: false },
    ],
  },
  {
    rule: "spend",
    label: "Spending is unusually high",
    says: "Of the last hour, against the same hour of the last seven days. It needs three such days.",
    fields: [
      { name: "spend_factor", label: "Times the usual", min: 1.1, max: 1000, decimals: true },
      { name: "spend_least_usd", label: "But never below, in USD", min: 0, max: 1_000_000_000, decimals: true },
    ],
  },
  {
    rule: "retirement",
    label: "A model in use retires",
    says: "By the provider's own list or a catalogue, while requests of the last seven days went to it.",
    fields: [{ name: "retirement_days", label: "Days before", min: 1, max: 365, decimals: false }],
  },
];

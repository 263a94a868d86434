/** How budgets are spoken of. */
import type { Budget } from "@/api/types";
import { dateOnly, money } from "@/format/format";

export const SCOPES: { value: Budget["scope"]; label: string }[] = [
  { value: "everything", label: "Everything" },
  { value: "provider", label: "A provider" },
  { value: "team", label: "A team" },
  { value: "user", label: "A user" },
  { value: "api_key", label: "An API key" },
];

export const KIND: Record<Budget["scope"], string> = {
  everything: "all requests",
  provider: "provider",
  team: "team",
  user: "user",
  api_key: "API key",
};

export const PERIODS: { value: Budget["period"]; label: string }[] = [
  { value: "day", label: "Day" },
  { value: "week", label: "Week, from Monday" },
  { value: "month", label: "Month" },
];

/** One sentence about what is to come, or about what has come; its days are those of `timeZone`. */
export function outlook(budget: Budget, timeZone?: string): string {
  if (budget.share >= 1) return budget.hard ? "Used up: requests are refused" : "Used up: requests go on";
  if (budget.runs_out_at) return `Runs out on ${dateOnly(budget.runs_out_at, timeZone)} at this pace`;
  if (budget.projected_usd === null) return "Too early to tell";
  return `About ${money(budget.projected_usd)} by the end at this pace`;
}

export type Urgency = "red" | "yellow" | "green";

export function urgency(budget: Budget): Urgency {
  if (budget.share >= 1) return "red";
  return budget.share >= 0.8 || budget.runs_out_at ? "yellow" : "green";
}

/** What the top bar says of all budgets; null while there is nothing to say. */
export function warning(budgets: Budget[]): { text: string; color: Urgency } | null {
  const spent = budgets.filter((budget) => budget.share >= 1).length;
  if (spent > 0) return { text: spent === 1 ? "1 budget used up" : `${spent} budgets used up`, color: "red" };
  const close = budgets.filter((budget) => urgency(budget) === "yellow").length;
  if (close > 0) return { text: close === 1 ? "1 budget runs out" : `${close} budgets run out`, color: "yellow" };
  return null;
}

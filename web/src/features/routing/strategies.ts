/** The three strategies in the words of the page. */
import type { PowerLevel, Strategy } from "@/api/types";

export const STRATEGIES: readonly { value: Strategy; label: string; bestFor: string; meaning: string }[] = [
  {
    value: "cost",
    label: "Cost Optimized",
    bestFor: "Best for High Volume",
    meaning: "Always the cheapest available model.",
  },
  {
    value: "balanced",
    label: "Balanced",
    bestFor: "Recommended Default",
    meaning: "A mix of quality and cost.",
  },
  {
    value: "quality",
    label: "Quality Optimized",
    bestFor: "Best for Complex Tasks",
    meaning: "The best model that is available.",
  },
];

export function strategyLabel(strategy: string): string {
  return STRATEGIES.find((one) => one.value === strategy)?.label ?? strategy;
}

const LEVELS: Record<PowerLevel, string> = { eco: "Eco", balanced: "Balanced", precision: "Precision" };

export function levelLabel(level: PowerLevel): string {
  return LEVELS[level];
}

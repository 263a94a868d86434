/** How a change is spoken of. */
import type { Home, Unit } from "@/api/types";
import { figure, DIMENSION_LABELS, inSentence, METRIC_LABELS, valueLabel } from "@/features/usage/words";

type Change = Home["changed"]["changes"][number];

/** A change with its sign: "+$4.20", "-12", "±0". */
export function signed(value: number, unit: Unit, exact = false): string {
  if (value === 0) return "±0";
  return `${value > 0 ? "+" : "-"}${figure(Math.abs(value), unit, exact)}`;
}

/** One sentence on what moved a figure most. */
export function sentence(change: Change): string {
  if (change.change === 0) return `As before: ${figure(change.before, change.unit)}.`;
  const parts: string[] = [];
  const first = change.moved_by.find((one) => one.dimension === change.mostly)?.movers[0];
  if (change.mostly !== null && first) {
    const who = valueLabel(change.mostly, first.value, first.name);
    parts.push(`Mostly by ${inSentence(DIMENSION_LABELS[change.mostly])} ${who}: ${signed(first.change, change.unit)}.`);
  }
  if (change.by_calls_usd !== null && change.by_cost_per_call_usd !== null) {
    parts.push(
      `${signed(change.by_calls_usd, "usd")} by the number of calls, ` +
        `${signed(change.by_cost_per_call_usd, "usd")} by what a call costs.`,
    );
  }
  return parts.join(" ") || `${METRIC_LABELS[change.metric]} before: ${figure(change.before, change.unit)}.`;
}

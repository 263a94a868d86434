/** The rules of the fields for time limits. No markup. */
import type { TimeLimits } from "@/api/types";

export type TimeLimit = keyof TimeLimits;
/** A number field is "" while it is empty. */
export type TimeLimitValues = Record<TimeLimit, number | string>;

export const TIME_LIMITS: readonly TimeLimit[] = ["connect_seconds", "first_chunk_seconds", "chunk_seconds", "total_seconds"];
const LONGEST_SECONDS = 86_400;

export const timeLimitValues = (limits: TimeLimits): TimeLimitValues => ({
  connect_seconds: limits.connect_seconds ?? "",
  first_chunk_seconds: limits.first_chunk_seconds ?? "",
  chunk_seconds: limits.chunk_seconds ?? "",
  total_seconds: limits.total_seconds ?? "",
});

/** Only the limits that differ, or undefined; an emptied one is null. */
export function changedTimeLimits(values: TimeLimitValues, before: TimeLimitValues): TimeLimits | undefined {
  const changed = TIME_LIMITS.filter((name) => values[name] !== before[name]);
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map((name) => [name, values[name] === "" ? null : Number(values[name])]));
}

/** What is wrong, by the path of the field. */
export function timeLimitProblems(values: TimeLimitValues): Record<string, string> {
  const wrong = TIME_LIMITS.filter((name) => {
    const value = Number(values[name]);
    return values[name] !== "" && !(value > 0 && value <= LONGEST_SECONDS);
  });
  return Object.fromEntries(wrong.map((name) => [`time_limits.${name}`, "More than 0, and a day at most"]));
}

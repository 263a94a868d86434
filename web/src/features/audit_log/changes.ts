/** A change in words that a person reads: "priority: 50 → 80". */

import { absoluteTime } from "@/format/format";

type Fields = Record<string, unknown> | null;

const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/;

function shown(value: unknown): string {
  if (isNothing(value)) return "none";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "string") return INSTANT.test(value) ? absoluteTime(value) : value;
  if (typeof value !== "object" || value === null) return String(value);
  const parts = Array.isArray(value)
    ? value.map((one) => (isNothing(one) || typeof one !== "object" ? shown(one) : `(${shown(one)})`))
    : Object.entries(value).map(([name, one]) => `${label(name)} ${shown(one)}`);
  return parts.join(", ");
}

const isNothing = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0);

const isEmpty = (value: unknown): boolean => isNothing(value) || value === false;

const label = (name: string): string => name.replaceAll("_", " ");

/** One line per changed field; what was made or removed is told in one line, without its empty fields. */
export function changesOf(before: Fields, after: Fields): string[] {
  if (before && after) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.map((name) => `${label(name)}: ${shown(before[name])} → ${shown(after[name])}`);
  }
  const whole = Object.entries(after ?? before ?? {}).filter(([, value]) => !isEmpty(value));
  if (whole.length === 0) return [];
  return [whole.map(([name, value]) => `${label(name)}: ${shown(value)}`).join(", ")];
}

/** A change in words that a person reads: "priority: 50 → 80". */

type Fields = Record<string, unknown> | null;

function shown(value: unknown): string {
  if (isNothing(value)) return "none";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (Array.isArray(value) && value.every((one) => typeof one !== "object")) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0);

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

/** A change in lines that a person reads: "priority: 50 → 80". */

type Fields = Record<string, unknown> | null;

function shown(value: unknown): string {
  if (value === null || value === undefined || value === "") return "none";
  if (typeof value === "boolean") return value ? "on" : "off";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

export function changesOf(before: Fields, after: Fields): string[] {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return names.map((name) => {
    const label = name.replaceAll("_", " ");
    const old = shown(before?.[name]);
    const fresh = shown(after?.[name]);
    if (before && after) return `${label}: ${old} → ${fresh}`;
    return `${label}: ${after ? fresh : old}`;
  });
}

/** What the explore page shows, as a file: a row per line and point, or the answer as it came. */
import type { Explore } from "@/api/types";

import { linesOf } from "./words";

/** A spreadsheet would compute what starts with these. */
const FORMULA = /^[=+\-@\t\r]/;

function cell(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Every point of every line, with every digit; an empty value where there was nothing to measure. */
export function csvOf(explored: Explore): string {
  const rows: (string | number | null)[][] = [["metric", "unit", "group", "value_of_group", "name", "start_at", "end_at", "value", "estimated_share"]];
  for (const line of linesOf(explored)) {
    for (const point of line.points) {
      rows.push([
        explored.metric,
        explored.unit,
        explored.group,
        line.group?.value ?? null,
        explored.group === null ? null : line.label,
        point.start_at,
        point.end_at,
        point.value,
        point.estimated_share,
      ]);
    }
  }
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** The figures on screen, leaving as a download. */
export function download(explored: Explore, format: "csv" | "json"): void {
  const text = format === "csv" ? csvOf(explored) : `${JSON.stringify(explored, null, 2)}\n`;
  const type = format === "csv" ? "text/csv;charset=utf-8" : "application/json";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = `ops-center-${explored.metric}-by-${explored.group ?? "time"}-${explored.to_at.slice(0, 10)}.${format}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

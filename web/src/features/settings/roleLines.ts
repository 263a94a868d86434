/** The map from groups to roles as lines to type: "group = role". */
import type { Role } from "@/api/types";
import { ROLES } from "@/features/users/roles";

export function toLines(map: Record<string, Role>): string {
  return Object.entries(map)
    .map(([group, role]) => `${group} = ${role}`)
    .join("\n");
}

/** The map, or the first line that is none. */
export function fromLines(text: string): { map: Record<string, Role> } | { wrong: string } {
  const map: Record<string, Role> = {};
  for (const line of text.split("\n").map((each) => each.trim())) {
    if (!line) continue;
    const at = line.lastIndexOf("=");
    const group = line.slice(0, Math.max(at, 0)).trim();
    const role = ROLES.find(({ value }) => value === line.slice(at + 1).trim().toLowerCase())?.value;
    if (!group || !role) return { wrong: line };
    map[group] = role;
  }
  return { map };
}

/** What each role may see and do; the server decides again on every call (control/access.py). */
import type { Role } from "@/api/types";

export type Access = "own" | "manage settings" | "create keys" | "read gateway" | "write gateway" | "manage users" | "read audit log";

const ALLOWED: Record<Role, readonly Access[]> = {
  admin: ["own", "manage settings", "create keys", "read gateway", "write gateway", "manage users", "read audit log"],
  operator: ["own", "create keys", "read gateway", "write gateway"],
  viewer: ["own", "read gateway"],
  user: ["own", "create keys"],
};

export function may(role: Role, access: Access): boolean {
  return ALLOWED[role].includes(access);
}

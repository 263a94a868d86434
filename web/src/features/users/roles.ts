/** Roles and power levels in words. */
import type { PowerLevel, Role } from "@/api/types";

export const ROLES: readonly { value: Role; label: string; meaning: string }[] = [
  { value: "admin", label: "Admin", meaning: "Everything, with users and the audit log." },
  { value: "operator", label: "Operator", meaning: "Providers, models, routing and traffic; no users." },
  { value: "viewer", label: "Viewer", meaning: "Sees providers, models and traffic; changes nothing." },
  { value: "user", label: "User", meaning: "Own API keys and own usage only." },
];

/** As in "invited as an operator". */
export const A_ROLE: Readonly<Record<Role, string>> = {
  admin: "an admin",
  operator: "an operator",
  viewer: "a viewer",
  user: "a user",
};

export const POWER_LEVELS: readonly { value: PowerLevel; label: string }[] = [
  { value: "eco", label: "Eco" },
  { value: "balanced", label: "Balanced" },
  { value: "precision", label: "Precision" },
];

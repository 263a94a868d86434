/** The side bar's groups and pages; an item stands here only when its page works. */
import {
  IconActivity,
  IconBell,
  IconChartLine,
  IconCoins,
  IconCube,
  IconClockPlay,
  IconGitBranch,
  IconHistory,
  IconHome,
  IconKey,
  IconMessage,
  IconPigMoney,
  IconPlugConnected,
  IconListDetails,
  IconServerBolt,
  IconUserDollar,
  IconSettings,
  IconShieldLock,
  IconUsers,
  IconUsersGroup,
  type Icon,
} from "@tabler/icons-react";
import type { ComponentType } from "react";

import type { Role } from "@/api/types";

import { RingingMark } from "@/features/alerts/RingingMark";

import { may, type Access } from "./access";

export interface NavigationItem {
  label: string;
  to: string;
  icon: Icon;
  access: Access;
  /** The current page only at this very address, not beneath it. */
  exact?: boolean;
  /** What stands at its end, such as a count. */
  Mark?: ComponentType;
}

export interface NavigationGroup {
  label: string;
  items: NavigationItem[];
}

const ADMIN_GROUPS: NavigationGroup[] = [
  {
    label: "Overview",
    items: [{ label: "Home", to: "/admin", icon: IconHome, access: "read gateway", exact: true }],
  },
  {
    label: "Services",
    items: [
      { label: "LiteLLM Providers", to: "/admin/litellm-providers", icon: IconServerBolt, access: "read gateway" },
      { label: "Models", to: "/admin/models", icon: IconCube, access: "read gateway" },
    ],
  },
  {
    label: "Traffic",
    items: [
      { label: "Requests", to: "/admin/requests", icon: IconActivity, access: "read gateway" },
      { label: "Usage", to: "/admin/usage", icon: IconChartLine, access: "read gateway" },
      { label: "Savings", to: "/admin/savings", icon: IconPigMoney, access: "read gateway" },
      { label: "Playground", to: "/playground", icon: IconMessage, access: "own" },
    ],
  },
  {
    label: "People",
    items: [
      { label: "Users", to: "/admin/users", icon: IconUsers, access: "manage users" },
      { label: "Teams", to: "/admin/teams", icon: IconUsersGroup, access: "manage users" },
      { label: "BYOK", to: "/admin/byok", icon: IconUserDollar, access: "manage users" },
      { label: "API Keys", to: "/account/api-keys", icon: IconKey, access: "own" },
      { label: "Provider Keys", to: "/account/provider-keys", icon: IconPlugConnected, access: "own" },
      { label: "All API Keys", to: "/admin/api-keys", icon: IconListDetails, access: "manage users" },
      { label: "Budgets", to: "/admin/budgets", icon: IconCoins, access: "read gateway" },
    ],
  },
  {
    label: "System",
    items: [
      { label: "Routing history", to: "/admin/routing-history", icon: IconGitBranch, access: "read gateway" },
      { label: "Time Machine", to: "/admin/time-machine", icon: IconClockPlay, access: "read gateway" },
      { label: "Alerts", to: "/admin/alerts", icon: IconBell, access: "read gateway", Mark: RingingMark },
      { label: "Audit Log", to: "/admin/audit-log", icon: IconHistory, access: "read audit log" },
      { label: "Settings", to: "/admin/settings", icon: IconSettings, access: "manage settings" },
    ],
  },
];

const OWN_GROUPS: NavigationGroup[] = [
  {
    label: "My",
    items: [
      { label: "Usage", to: "/account/usage", icon: IconChartLine, access: "own" },
      { label: "API Keys", to: "/account/api-keys", icon: IconKey, access: "own" },
      { label: "Provider Keys", to: "/account/provider-keys", icon: IconPlugConnected, access: "own" },
      { label: "Playground", to: "/playground", icon: IconMessage, access: "own" },
      { label: "Security", to: "/account/security", icon: IconShieldLock, access: "own" },
    ],
  },
];

/** The groups that a role sees, without empty ones. */
export function navigationFor(role: Role): NavigationGroup[] {
  if (!may(role, "read gateway")) return OWN_GROUPS;
  return ADMIN_GROUPS.map((group) => ({
    ...group,
    items: group.items.filter((item) => may(role, item.access)),
  })).filter((group) => group.items.length > 0);
}

/** Where a role lands when it asks for no page in particular. */
export function homeOf(role: Role): string {
  return may(role, "read gateway") ? "/admin" : "/account/usage";
}

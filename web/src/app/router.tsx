/** The addresses of the console; pages are loaded when they are opened. */
import { loadChunk } from "@/app/loadChunk";
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";

import { ApiError } from "@/api/request";
import { sessionQuery } from "@/features/session/queries";

import { may, type Access } from "./access";
import { NotFoundPage, RouteProblem } from "./RouteProblem";
import { homeOf } from "./navigation";
import {
  alertsSearch,
  apiKeysSearch,
  auditLogSearch,
  homeSearch,
  inviteSearch,
  loginSearch,
  modelsSearch,
  parseSearch,
  playgroundSearch,
  providersSearch,
  rangeSearch,
  requestsSearch,
  routingHistorySearch,
  setupSearch,
  ssoSearch,
  stringifySearch,
  timeMachineSearch,
  usageSearch,
  usersSearch,
} from "./search";
import { Shell } from "./shell/Shell";

interface RouterContext {
  queryClient: QueryClient;
}

const root = createRootRouteWithContext<RouterContext>()({ notFoundComponent: NotFoundPage });

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: loginSearch,
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/session/LoginPage")), "LoginPage"),
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  validateSearch: setupSearch,
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/session/SetupPage")), "SetupPage"),
});

const invite = createRoute({
  getParentRoute: () => root,
  path: "/invite",
  validateSearch: inviteSearch,
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/session/InvitePage")), "InvitePage"),
});

const sso = createRoute({
  getParentRoute: () => root,
  path: "/sso",
  validateSearch: ssoSearch,
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/session/SsoPage")), "SsoPage"),
});

const secondFactor = createRoute({
  getParentRoute: () => root,
  path: "/second-factor",
  validateSearch: loginSearch,
  component: lazyRouteComponent(
    () => loadChunk(() => import("@/features/security/SecondFactorPage")),
    "SecondFactorPage",
  ),
});

const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  beforeLoad: async ({ context, location }) => {
    try {
      const user = await context.queryClient.ensureQueryData(sessionQuery);
      if (user.secondFactorMissing) throw redirect({ to: "/second-factor" });
      return { user };
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        throw redirect({ to: "/login", search: { redirect: location.href === "/" ? undefined : location.href } });
      }
      throw error;
    }
  },
  component: Shell,
});

/** Sends a role that may not see a page to the first one that it may. */
function needs(access: Access) {
  return ({ context }: { context: { user: { role: Parameters<typeof may>[0] } } }): void => {
    const { role } = context.user;
    if (!may(role, access)) throw redirect({ to: homeOf(role) });
  };
}

const start = createRoute({
  getParentRoute: () => signedIn,
  path: "/",
  beforeLoad: ({ context }) => {
    throw redirect({ to: homeOf(context.user.role) });
  },
});

const home = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin",
  validateSearch: homeSearch,
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/home/HomePage")), "HomePage"),
});

const providers = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/litellm-providers",
  validateSearch: providersSearch,
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/providers/ProvidersPage")), "ProvidersPage"),
});

const models = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/models",
  validateSearch: modelsSearch,
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/models/ModelsPage")), "ModelsPage"),
});

const requests = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/requests",
  validateSearch: requestsSearch,
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/requests/RequestsPage")), "RequestsPage"),
});

const request = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/requests/$id",
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/requests/RequestPage")), "RequestPage"),
});

const usage = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/usage",
  validateSearch: usageSearch,
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/usage/UsagePage")), "UsagePage"),
});

const savings = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/savings",
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/savings/SavingsPage")), "SavingsPage"),
});

const alerts = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/alerts",
  validateSearch: alertsSearch,
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/alerts/AlertsPage")), "AlertsPage"),
});

const users = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/users",
  validateSearch: usersSearch,
  beforeLoad: needs("manage users"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/users/UsersPage")), "UsersPage"),
});

const auditLog = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/audit-log",
  validateSearch: auditLogSearch,
  beforeLoad: needs("read audit log"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/audit_log/AuditLogPage")), "AuditLogPage"),
});

const routingHistory = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/routing-history",
  validateSearch: routingHistorySearch,
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(
    () => loadChunk(() => import("@/features/routing_versions/RoutingHistoryPage")),
    "RoutingHistoryPage",
  ),
});

const timeMachine = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/time-machine",
  validateSearch: timeMachineSearch,
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(
    () => loadChunk(() => import("@/features/time_machine/TimeMachinePage")),
    "TimeMachinePage",
  ),
});

const byokUsers = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/byok",
  beforeLoad: needs("manage users"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/byok/ByokUsersPage")), "ByokUsersPage"),
});

const providerKeys = createRoute({
  getParentRoute: () => signedIn,
  path: "/account/provider-keys",
  component: lazyRouteComponent(
    () => loadChunk(() => import("@/features/provider_keys/ProviderKeysPage")),
    "ProviderKeysPage",
  ),
});

const teams = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/teams",
  beforeLoad: needs("manage users"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/teams/TeamsPage")), "TeamsPage"),
});

const budgets = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/budgets",
  beforeLoad: needs("read gateway"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/budgets/BudgetsPage")), "BudgetsPage"),
});

const allApiKeys = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/api-keys",
  beforeLoad: needs("manage users"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/api_keys/AllApiKeysPage")), "AllApiKeysPage"),
});

const apiKeys = createRoute({
  getParentRoute: () => signedIn,
  path: "/account/api-keys",
  validateSearch: apiKeysSearch,
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/api_keys/ApiKeysPage")), "ApiKeysPage"),
});

const settings = createRoute({
  getParentRoute: () => signedIn,
  path: "/admin/settings",
  beforeLoad: needs("manage settings"),
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/settings/SettingsPage")), "SettingsPage"),
});

const security = createRoute({
  getParentRoute: () => signedIn,
  path: "/account/security",
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/security/SecurityPage")), "SecurityPage"),
});

const playground = createRoute({
  getParentRoute: () => signedIn,
  path: "/playground",
  validateSearch: playgroundSearch,
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/playground/PlaygroundPage")), "PlaygroundPage"),
});

const ownUsage = createRoute({
  getParentRoute: () => signedIn,
  path: "/account/usage",
  validateSearch: rangeSearch,
  component: lazyRouteComponent(() => loadChunk(() => import("@/features/usage/OwnUsagePage")), "OwnUsagePage"),
});

const routeTree = root.addChildren([
  login,
  setup,
  invite,
  secondFactor,
  sso,
  signedIn.addChildren([
    start,
    home,
    providers,
    models,
    requests,
    request,
    usage,
    savings,
    alerts,
    users,
    auditLog,
    routingHistory,
    timeMachine,
    apiKeys,
    ownUsage,
    byokUsers,
    providerKeys,
    security,
    teams,
    budgets,
    allApiKeys,
    settings,
    playground,
  ]),
]);

export function createConsoleRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree,
    context: { queryClient },
    parseSearch,
    stringifySearch,
    defaultPreload: "intent",
    defaultErrorComponent: RouteProblem,
    defaultNotFoundComponent: NotFoundPage,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createConsoleRouter>;
  }
}

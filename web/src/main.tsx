/** Starts the console: theme, queries, routes. */
import "@fontsource-variable/inter/wght.css";
import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./theme/global.css";

import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { createQueryClient } from "./api/queryClient";
import { createConsoleRouter } from "./app/router";
import { sessionQuery } from "./features/session/queries";
import { cssVariablesResolver, theme } from "./theme/theme";

const queryClient = createQueryClient({
  // The session has ended: to sign-in, and back to this page afterwards.
  onSignedOut: () => {
    const { pathname, href } = router.state.location;
    if (pathname === "/login") return;
    void router
      .navigate({ to: "/login", search: { redirect: href } })
      .then(() => queryClient.removeQueries({ queryKey: sessionQuery.queryKey }));
  },
  // The role began to need a second factor while this page was open: set up, and back.
  onSecondFactorMissing: () => {
    const { pathname, href } = router.state.location;
    if (pathname !== "/second-factor") void router.navigate({ to: "/second-factor", search: { redirect: href } });
  },
});
const router = createConsoleRouter(queryClient);
const colorSchemeManager = localStorageColorSchemeManager({ key: "ops-center-color-scheme" });

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariablesResolver}
      colorSchemeManager={colorSchemeManager}
      defaultColorScheme="auto"
    >
      <QueryClientProvider client={queryClient}>
        <Notifications position="bottom-right" />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);

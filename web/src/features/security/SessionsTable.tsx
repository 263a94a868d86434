/** Sessions with their browser, address and last use, each to be ended. */
import { Badge, Group, Stack, Text, type MantineTheme } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { Session } from "@/api/types";
import { BusyButton } from "@/ui/BusyButton";
import { EmptyState } from "@/ui/EmptyState";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { browserName } from "./browsers";
import { sessionsQuery, useEndSessions } from "./queries";

const BEGAN: Record<string, string> = {
  password: "Password",
  setup: "Set-up link",
  invitation: "Invitation",
  oidc: "Single sign-on",
};

/** Columns for which a narrow screen has no room. */
const WIDE = { visibleMediaQuery: (theme: MantineTheme) => `(min-width: ${theme.breakpoints.sm})`, noWrap: true };

/** `whose`: null for one's own, else a user's id. */
export function SessionsTable({ whose }: { whose: string | null }) {
  const sessions = useQuery(sessionsQuery(whose));
  const end = useEndSessions(whose);
  if (sessions.isError && !sessions.data) {
    return (
      <ProblemAlert
        error={asApiError(sessions.error)}
        title="The sessions could not be loaded"
        onRetry={() => void sessions.refetch()}
      />
    );
  }
  const others = sessions.data?.filter(({ current }) => !current).length ?? 0;
  return (
    <Stack gap="md">
      {end.isError && <ProblemAlert error={asApiError(end.error)} title="Nothing was ended" />}
      <Table<Session>
        label="Where one is signed in"
        records={sessions.data}
        fetching={sessions.isPending}
        empty={<EmptyState title="Signed in nowhere" />}
        columns={[
          {
            accessor: "user_agent",
            title: "Browser",
            render: ({ user_agent, ip_address, current }) => (
              <>
                <Group gap="2px 8px">
                  <Text size="sm" title={user_agent}>
                    {browserName(user_agent)}
                  </Text>
                  {current && <Badge color="green">This one</Badge>}
                </Group>
                <Text size="xs" c="dimmed" hiddenFrom="sm">
                  {ip_address || "unknown address"}
                </Text>
              </>
            ),
          },
          { accessor: "ip_address", title: "Address", ...WIDE, render: ({ ip_address }) => ip_address || "unknown" },
          { accessor: "method", title: "Began by", ...WIDE, render: ({ method }) => BEGAN[method] ?? method },
          { accessor: "created_at", title: "Began", ...WIDE, render: ({ created_at }) => <TimeAgo at={created_at} /> },
          {
            accessor: "last_seen_at",
            title: "Last used",
            noWrap: true,
            render: ({ last_seen_at }) => <TimeAgo at={last_seen_at} />,
          },
          {
            accessor: "actions",
            title: "Actions",
            textAlign: "right",
            render: ({ id, user_agent, current }) =>
              current ? null : (
                <BusyButton
                  size="compact-xs"
                  variant="default"
                  busy={end.isPending && end.variables === id}
                  aria-label={`End the session in ${browserName(user_agent)}`}
                  onClick={() => end.mutate(id)}
                >
                  End
                </BusyButton>
              ),
          },
        ]}
      />
      {others > 0 && (
        <Group justify="flex-end">
          <BusyButton
            variant="default"
            busy={end.isPending && end.variables === null}
            onClick={() => end.mutate(null)}
          >
            {whose === null ? "Sign out everywhere else" : "Sign out everywhere"}
          </BusyButton>
        </Group>
      )}
    </Stack>
  );
}

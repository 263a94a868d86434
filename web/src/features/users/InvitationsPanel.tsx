/** Invitations that nobody used yet; nothing is shown while there is none. */
import { Badge, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { Invitation } from "@/api/types";
import { BusyButton } from "@/ui/BusyButton";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { invitationsQuery, useRevokeInvitation } from "./queries";
import { ROLES } from "./roles";

export function InvitationsPanel() {
  const invitations = useQuery(invitationsQuery);
  const revoke = useRevokeInvitation();
  if (invitations.isError && !invitations.data) {
    return (
      <ProblemAlert
        error={asApiError(invitations.error)}
        title="The invitations could not be loaded"
        onRetry={() => void invitations.refetch()}
      />
    );
  }
  const waiting = invitations.data?.filter(({ status }) => status === "open" || status === "expired");
  if (!waiting?.length) return null;
  return (
    <Panel title="Invitations" description="Links that nobody has used yet. Invite again for a new link.">
      <Stack gap="md">
        {revoke.isError && <ProblemAlert error={asApiError(revoke.error)} title="Nothing was revoked" />}
        <Table<Invitation>
          label="Links not used yet"
          records={waiting}
          fetching={false}
          empty={null}
          columns={[
            { accessor: "email", title: "Email", render: ({ email }) => <Text size="sm">{email}</Text> },
            {
              accessor: "role",
              title: "Role",
              render: ({ role }) => ROLES.find(({ value }) => value === role)?.label ?? role,
            },
            {
              accessor: "status",
              title: "State",
              render: ({ status }) =>
                status === "open" ? <Badge color="green">Open</Badge> : <Badge color="gray">Expired</Badge>,
            },
            { accessor: "created_at", title: "Made", render: ({ created_at }) => <TimeAgo at={created_at} /> },
            { accessor: "expires_at", title: "Ends", render: ({ expires_at }) => <TimeAgo at={expires_at} /> },
            {
              accessor: "actions",
              title: "Actions",
              textAlign: "right",
              render: ({ id, email }) => (
                <BusyButton
                  size="compact-xs"
                  variant="default"
                  busy={revoke.isPending && revoke.variables === id}
                  aria-label={`Revoke the invitation of ${email}`}
                  onClick={() => revoke.mutate(id)}
                >
                  Revoke
                </BusyButton>
              ),
            },
          ]}
        />
      </Stack>
    </Panel>
  );
}

/** Users: who may sign in, and as what. */
import { Badge, Button, Group, Stack, Text } from "@mantine/core";
import { IconMailPlus, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { User } from "@/api/types";
import { useUser } from "@/features/session/queries";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { SessionsDialog } from "@/features/security/SessionsDialog";
import { SearchField } from "@/ui/SearchField";
import { StaleNotice } from "@/ui/StaleNotice";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { InvitationsPanel } from "./InvitationsPanel";
import { InviteDialog } from "./InviteDialog";
import { usersQuery } from "./queries";
import { POWER_LEVELS, ROLES } from "./roles";
import { UserDialog } from "./UserDialog";

export function UsersPage() {
  const users = useQuery(usersQuery);
  const { search } = useSearch({ from: "/signed-in/admin/users" });
  const navigate = useNavigate({ from: "/admin/users" });
  const wanted = search?.toLowerCase() ?? "";
  const found = users.data?.filter((user) =>
    [user.name ?? "", user.email, user.role].some((text) => text.toLowerCase().includes(wanted)),
  );
  const me = useUser();
  const [editing, setEditing] = useState<User | "new" | null>(null);
  const [inviting, setInviting] = useState(false);
  const [signedIn, setSignedIn] = useState<User | null>(null);
  return (
    <>
      <PageHeader
        title="Users"
        description="Who may sign in, and as what. Disabling a user ends their sessions and API keys at once."
        action={
          <Group gap="xs">
            <Button variant="default" leftSection={<IconMailPlus size={16} />} onClick={() => setInviting(true)}>
              Invite by Link
            </Button>
            <Button leftSection={<IconPlus size={16} />} onClick={() => setEditing("new")}>
              Add User
            </Button>
          </Group>
        }
      />
      <Stack gap="md">
        <SearchField
          label="Search"
          placeholder="Name, email or role"
          atOnce
          maw={420}
          value={search ?? ""}
          onSearch={(text) => void navigate({ search: { search: text || undefined }, replace: true })}
        />
        <StaleNotice query={users} />
        {users.isError && !users.data ? (
          <ProblemAlert
            error={asApiError(users.error)}
            title="The users could not be loaded"
            onRetry={() => void users.refetch()}
          />
        ) : (
          <Table<User>
            label="Users"
            records={found}
            fetching={users.isPending}
            empty={
              <EmptyState
                title="No user fits"
                action={{ label: "Clear Search", onClick: () => void navigate({ search: {}, replace: true }) }}
              >
                Type a part of a name, an email or a role.
              </EmptyState>
            }
            columns={[
              {
                accessor: "email",
                title: "User",
                render: (user) => (
                  <Stack gap={0} miw={180}>
                    <Text size="sm" fw={560}>
                      {user.name || user.email}
                      {user.id === me.id && " (you)"}
                    </Text>
                    {user.name && (
                      <Text size="xs" c="dimmed">
                        {user.email}
                      </Text>
                    )}
                  </Stack>
                ),
              },
              {
                accessor: "role",
                title: "Role",
                render: (user) => ROLES.find((role) => role.value === user.role)?.label ?? user.role,
              },
              {
                accessor: "power_level",
                title: "Power level",
                render: (user) =>
                  POWER_LEVELS.find((level) => level.value === user.power_level)?.label ?? (
                    <Text component="span" size="sm" c="dimmed">
                      as routed
                    </Text>
                  ),
              },
              {
                accessor: "disabled",
                title: "State",
                render: (user) =>
                  user.disabled ? <Badge color="gray">Disabled</Badge> : <Badge color="green">Active</Badge>,
              },
              { accessor: "created_at", title: "Added", render: (user) => <TimeAgo at={user.created_at} /> },
              {
                accessor: "actions",
                title: "Actions",
                textAlign: "right",
                render: (user) => (
                  <Group gap={6} justify="flex-end" wrap="nowrap">
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-label={`Sessions of ${user.email}`}
                      onClick={() => setSignedIn(user)}
                    >
                      Sessions
                    </Button>
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-label={`Edit ${user.email}`}
                      onClick={() => setEditing(user)}
                    >
                      Edit
                    </Button>
                  </Group>
                ),
              },
            ]}
          />
        )}
        <InvitationsPanel />
      </Stack>
      <UserDialog editing={editing} onClose={() => setEditing(null)} />
      <InviteDialog opened={inviting} onClose={() => setInviting(false)} />
      <SessionsDialog user={signedIn} onClose={() => setSignedIn(null)} />
    </>
  );
}

/** BYOK users: who brings own keys, whether they work, what runs on them. Nothing of the keys themselves. */
import { Badge, Group, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { ByokUser } from "@/api/types";
import { STATUS } from "@/features/provider_keys/policies";
import { count, estimatedPart, money, moneyExact, moneyWithUnknown } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { EstimatedCost } from "@/ui/EstimatedCost";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";
import { StatusDot } from "@/ui/StatusDot";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { byokSummaryQuery, byokUsersQuery } from "./queries";

export function ByokUsersPage() {
  const users = useQuery(byokUsersQuery);
  const summary = useQuery(byokSummaryQuery).data;
  return (
    <>
      <PageHeader
        title="BYOK users"
        description={
          summary && summary.byok_users > 0
            ? `${money(summary.saved_total_usd)}${summary.saved_total_estimated_share > 0 ? ` (${estimatedPart(summary.saved_total_estimated_share)})` : ""} saved so far, ${money(summary.saved_30d_usd)} of it in the last 30 days. You see that somebody has a key and whether it works; nothing of the key itself.`
            : "Who brings their own provider keys, and what that saves."
        }
      />
      <Stack gap="md">
        <StaleNotice query={users} />
        {users.isError && !users.data ? (
          <ProblemAlert
            error={asApiError(users.error)}
            title="The users could not be loaded"
            onRetry={() => void users.refetch()}
          />
        ) : (
          <Table<ByokUser>
            label="BYOK users"
            idAccessor="user_id"
            records={users.data}
            fetching={users.isPending}
            empty={
              <EmptyState title="Nobody has brought a key yet">
                Users add their own keys under Provider Keys.
              </EmptyState>
            }
            columns={[
              {
                accessor: "email",
                title: "User",
                render: (user) => (
                  <Stack gap={0} miw={170}>
                    <Group gap={6}>
                      <Text size="sm" fw={560}>
                        {user.name || user.email}
                      </Text>
                      {user.disabled ? (
                        <Badge color="gray">Disabled</Badge>
                      ) : (
                        user.active && <Badge color="green">Active</Badge>
                      )}
                    </Group>
                    {user.name && (
                      <Text size="xs" c="dimmed">
                        {user.email}
                      </Text>
                    )}
                  </Stack>
                ),
              },
              {
                accessor: "keys",
                title: "Keys",
                render: (user) =>
                  user.keys.length === 0 ? (
                    <Text size="xs" c="dimmed">
                      removed
                    </Text>
                  ) : (
                    <Stack gap={2} miw={150}>
                      {user.keys.map((key) => (
                        <Group key={key.type} gap={8} wrap="nowrap">
                          <Text size="xs">{key.type_name}</Text>
                          <StatusDot color={STATUS[key.status].color} label={STATUS[key.status].label} />
                        </Group>
                      ))}
                    </Stack>
                  ),
              },
              {
                accessor: "requests_30d",
                title: "Requests (30d)",
                textAlign: "right",
                render: (user) => <span className="oc-figures">{count(user.requests_30d)}</span>,
              },
              {
                accessor: "own_cost_30d_usd",
                title: "Paid themselves (30d)",
                textAlign: "right",
                render: (user) => (
                  <EstimatedCost
                    text={money(user.own_cost_30d_usd)}
                    exact={moneyExact(user.own_cost_30d_usd)}
                    part={user.own_cost_30d_estimated_share}
                  />
                ),
              },
              {
                accessor: "saved_30d_usd",
                title: "Saved (30d)",
                textAlign: "right",
                render: (user) => (
                  <EstimatedCost
                    text={moneyWithUnknown(user.saved_30d_usd, user.unknown_saving_requests_30d)}
                    exact={moneyExact(user.saved_30d_usd)}
                    part={user.saved_30d_estimated_share}
                  />
                ),
              },
              {
                accessor: "saved_total_usd",
                title: "Saved in all",
                textAlign: "right",
                render: (user) => (
                  <EstimatedCost
                    text={money(user.saved_total_usd)}
                    exact={moneyExact(user.saved_total_usd)}
                    part={user.saved_total_estimated_share}
                  />
                ),
              },
              {
                accessor: "fallbacks_30d",
                title: "Fallbacks (30d)",
                textAlign: "right",
                render: (user) => <span className="oc-figures">{count(user.fallbacks_30d)}</span>,
              },
              { accessor: "last_used_at", title: "Last used", render: (user) => <TimeAgo at={user.last_used_at} /> },
            ]}
          />
        )}
      </Stack>
    </>
  );
}

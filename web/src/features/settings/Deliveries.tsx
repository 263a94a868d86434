/** The last notifications and what came of each. */
import { Badge, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { NotificationEntry } from "@/api/types";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { notificationsQuery } from "./notificationQueries";

const STATUS = {
  pending: { color: "gray", label: "Waiting" },
  delivered: { color: "green", label: "Delivered" },
  failed: { color: "red", label: "Failed" },
} as const;

export function Deliveries() {
  const { data, isError, error, isPending, refetch } = useQuery(notificationsQuery);
  if (isError && !data) {
    return (
      <ProblemAlert error={asApiError(error)} title="The deliveries could not be loaded" onRetry={() => void refetch()} />
    );
  }
  return (
    <Table<NotificationEntry>
      label="Last deliveries"
      records={data}
      fetching={isPending}
      empty={
        <Text size="sm" c="dimmed" p="md">
          Nothing was sent yet: budgets are looked at, and providers, every half minute.
        </Text>
      }
      columns={[
        {
          accessor: "subject",
          title: "What",
          render: ({ subject, channel, recipient }) => (
            <>
              <Text size="sm">{subject}</Text>
              <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
                {channel === "email" ? "Email to" : "Webhook"} {recipient}
              </Text>
            </>
          ),
        },
        {
          accessor: "status",
          title: "Status",
          render: ({ status, outcome, attempts }) => (
            <>
              <Badge variant="light" color={STATUS[status].color}>
                {STATUS[status].label}
              </Badge>
              <Text size="xs" c="dimmed">
                {outcome}
                {status !== "delivered" && attempts > 1 && ` (${attempts} attempts)`}
              </Text>
            </>
          ),
        },
        { accessor: "created_at", title: "When", render: ({ created_at }) => <TimeAgo at={created_at} /> },
      ]}
    />
  );
}

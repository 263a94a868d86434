/** Audit Log: who changed what, when and from where; only ever read. */
import { Button, Code, Group, Stack, Text } from "@mantine/core";
import { IconArrowRight } from "@tabler/icons-react";
import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { listAuditLog } from "@/api/generated/control";
import { asApiError } from "@/api/request";
import type { AuditEntry } from "@/api/types";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { changesOf } from "./changes";

const PER_PAGE = 50;

const auditLogQuery = (cursor: string | undefined) =>
  queryOptions({
    queryKey: ["audit-log", cursor ?? null],
    queryFn: ({ signal }) => listAuditLog({ limit: PER_PAGE, cursor }, { signal }),
    placeholderData: keepPreviousData,
  });

export function AuditLogPage() {
  const { cursor } = useSearch({ from: "/signed-in/admin/audit-log" });
  const navigate = useNavigate({ from: "/admin/audit-log" });
  const log = useQuery(auditLogQuery(cursor));
  const next = log.data?.next_cursor;
  return (
    <>
      <PageHeader title="Audit Log" description="Who changed what, when and from where. Secrets are never part of it." />
      <Stack gap="md">
        <StaleNotice query={log} />
        {log.isError && !log.data ? (
          <ProblemAlert
            error={asApiError(log.error)}
            title="The audit log could not be loaded"
            onRetry={() => void log.refetch()}
          />
        ) : (
          <Table<AuditEntry>
            label="Audit log"
            records={log.data?.entries}
            fetching={log.isPending}
            empty={<EmptyState title="Nothing has been changed yet" />}
            columns={[
              {
                accessor: "at",
                title: "When",
                noWrap: true,
                render: (entry) => <TimeAgo at={entry.at} />,
              },
              { accessor: "actor_email", title: "Who", render: (entry) => entry.actor_email || "the server" },
              { accessor: "action", title: "Action", render: (entry) => <Code fz="xs">{entry.action}</Code> },
              {
                accessor: "object_name",
                title: "What",
                render: (entry) => (
                  <Stack gap={0} miw={120}>
                    <Text size="sm">{entry.object_name || entry.object_id}</Text>
                    <Text size="xs" c="dimmed">
                      {entry.object_type.replaceAll("_", " ")}
                    </Text>
                  </Stack>
                ),
              },
              {
                accessor: "change",
                title: "Change",
                render: (entry) => (
                  <Stack gap={0} miw={200}>
                    {changesOf(entry.before, entry.after).map((line) => (
                      <Text key={line} size="xs">
                        {line}
                      </Text>
                    ))}
                  </Stack>
                ),
              },
              { accessor: "ip_address", title: "From", render: (entry) => entry.ip_address || "–" },
            ]}
          />
        )}
        {(cursor ?? next) && (
          <Group justify="flex-end">
            {cursor && (
              <Button variant="default" size="xs" onClick={() => void navigate({ search: { cursor: undefined } })}>
                Newest
              </Button>
            )}
            <Button
              variant="default"
              size="xs"
              disabled={!next}
              rightSection={<IconArrowRight size={14} />}
              onClick={() => void navigate({ search: { cursor: next ?? undefined } })}
            >
              Older
            </Button>
          </Group>
        )}
      </Stack>
    </>
  );
}

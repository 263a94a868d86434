/** Routing history: every change of where traffic goes, and the way back to it. */
import { Anchor, Badge, Button, Group, Stack, Text } from "@mantine/core";
import { IconArrowRight, IconClockPlay } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";

import { asApiError } from "@/api/request";
import type { RoutingVersion } from "@/api/types";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { versionsQuery } from "./queries";
import { VersionDrawer } from "./VersionDrawer";
import { actionLabel } from "./words";

export function RoutingHistoryPage() {
  const { cursor, version } = useSearch({ from: "/signed-in/admin/routing-history" });
  const navigate = useNavigate({ from: "/admin/routing-history" });
  const list = useQuery(versionsQuery(cursor));
  const next = list.data?.next_cursor;
  const open = (number: number | undefined): void =>
    void navigate({ search: (before) => ({ ...before, version: number }) });
  return (
    <>
      <PageHeader
        title="Routing history"
        description="Every change of where traffic goes: who, when, what. Any version can be returned to."
        action={
          <Button component={Link} to="/admin/time-machine" variant="default" leftSection={<IconClockPlay size={16} />}>
            Time Machine
          </Button>
        }
      />
      <Stack gap="md">
        <StaleNotice query={list} />
        {list.isError && !list.data ? (
          <ProblemAlert
            error={asApiError(list.error)}
            title="The history could not be loaded"
            onRetry={() => void list.refetch()}
          />
        ) : (
          <Table<RoutingVersion>
            label="Versions of routing"
            records={list.data?.versions}
            fetching={list.isPending}
            idAccessor="version"
            empty={
              <EmptyState title="No version yet">
                The first provider, alias or change of strategy makes one.
              </EmptyState>
            }
            columns={[
              {
                accessor: "version",
                title: "Version",
                noWrap: true,
                render: (row) => (
                  <Group gap="xs" wrap="nowrap">
                    <Anchor component="button" type="button" size="sm" className="oc-figures" onClick={() => open(row.version)}>
                      Version {row.version}
                    </Anchor>
                    {row.current && (
                      <Badge variant="light" size="sm">
                        In force
                      </Badge>
                    )}
                  </Group>
                ),
              },
              {
                accessor: "summary",
                title: "What changed",
                render: (row) => (
                  <Stack gap={0} miw={200}>
                    <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                      {row.summary || "The routing rules"}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {actionLabel(row.action, row.restored_from)}
                    </Text>
                  </Stack>
                ),
              },
              {
                accessor: "created_at",
                title: "When",
                noWrap: true,
                render: (row) => <TimeAgo at={row.created_at} />,
              },
              {
                accessor: "created_by_email",
                title: "Who",
                render: (row) => row.created_by_email || "the server",
              },
            ]}
          />
        )}
        {(cursor ?? next) && (
          <Group justify="flex-end">
            {cursor && (
              <Button variant="default" size="xs" onClick={() => void navigate({ search: {} })}>
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
      <VersionDrawer
        version={version}
        onClose={() => open(undefined)}
        onReturned={(made) => void navigate({ search: { version: made } })}
      />
    </>
  );
}

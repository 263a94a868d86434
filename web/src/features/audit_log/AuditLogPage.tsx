/** Audit Log: who changed what, when and from where; only ever read. */
import { Button, Code, Menu, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { asApiError } from "@/api/request";
import type { AuditEntry } from "@/api/types";
import type { AuditLogSearch } from "@/app/search";
import { EmptyState } from "@/ui/EmptyState";
import { Filters } from "@/ui/Filters";
import { PageHeader } from "@/ui/PageHeader";
import { Pager } from "@/ui/Pager";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { SearchField } from "@/ui/SearchField";
import { StaleNotice } from "@/ui/StaleNotice";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { ChainStatus } from "./ChainStatus";
import { changesOf } from "./changes";
import { actionsQuery, auditLogQuery, exportAddress } from "./queries";

export function AuditLogPage() {
  const search = useSearch({ from: "/signed-in/admin/audit-log" });
  const navigate = useNavigate({ from: "/admin/audit-log" });
  const log = useQuery(auditLogQuery(search));
  const { cursor, ...filter } = search;
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  const next = log.data?.next_cursor;
  const narrow = (to: AuditLogSearch): void =>
    void navigate({ search: (before) => ({ ...before, cursor: undefined, ...to }), replace: true });
  return (
    <>
      <PageHeader
        title="Audit Log"
        description="Who changed what, when and from where. Secrets are never part of it."
        action={<ExportMenu search={search} />}
      />
      <Stack gap="md">
        <ChainStatus />
        <AuditFilters filter={filter} onNarrow={narrow} />
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
            empty={
              isFiltered ? (
                <EmptyState title="No entry fits">Change or clear the filters.</EmptyState>
              ) : (
                <EmptyState title="Nothing has been changed yet" />
              )
            }
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
              { accessor: "ip_address", title: "Address", render: (entry) => entry.ip_address || "–" },
            ]}
          />
        )}
        <Pager
          cursor={cursor}
          next={next}
          onOpen={(to) => void navigate({ search: (before) => ({ ...before, cursor: to }), replace: to === undefined })}
        />
      </Stack>
    </>
  );
}

function ExportMenu({ search }: { search: AuditLogSearch }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" leftSection={<IconDownload size={16} />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={exportAddress(search, "csv")} download>
          What is shown, as CSV
        </Menu.Item>
        <Menu.Item component="a" href={exportAddress(search, "json")} download>
          What is shown, as JSON
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function AuditFilters({ filter, onNarrow }: { filter: AuditLogSearch; onNarrow: (to: AuditLogSearch) => void }) {
  const actions = useQuery(actionsQuery);
  const { object, ...fields } = filter;
  const used = Object.values(fields).filter((value) => value !== undefined).length;
  return (
    <Filters
      used={used}
      onClear={
        used > 0 || object !== undefined
          ? () => onNarrow({ object: undefined, actor: undefined, action: undefined, from: undefined, to: undefined })
          : undefined
      }
      search={
        <SearchField
          label="What"
          placeholder="Name or id"
          flex="1 1 180px"
          value={object ?? ""}
          onSearch={(text) => onNarrow({ object: text || undefined })}
        />
      }
    >
      <SearchField
        label="Who"
        placeholder="Email"
        flex="1 1 160px"
        rightSection={null}
        value={filter.actor ?? ""}
        onSearch={(actor) => onNarrow({ actor: actor || undefined })}
      />
      <Select
        label="Action"
        placeholder="All"
        clearable
        searchable
        flex="0 1 180px"
        data={actions.data ?? []}
        value={filter.action ?? null}
        onChange={(action) => onNarrow({ action: action ?? undefined })}
      />
      <TextInput
        label="From"
        type="date"
        flex="0 1 150px"
        value={filter.from ?? ""}
        onChange={(event) => onNarrow({ from: event.currentTarget.value || undefined })}
      />
      <TextInput
        label="To"
        type="date"
        flex="0 1 150px"
        value={filter.to ?? ""}
        onChange={(event) => onNarrow({ to: event.currentTarget.value || undefined })}
      />
    </Filters>
  );
}

/** Requests: filters in the address, pages by cursor, details beside the list. */
import { Anchor, Button, Group, Stack, Switch, Text } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { asApiError } from "@/api/request";
import type { RequestRow } from "@/api/types";
import { requestsSearch, type RequestsSearch } from "@/app/search";
import { SavedViewNotice, SavedViews } from "@/features/saved_views/SavedViews";
import { FilterBar } from "@/features/usage/FilterBar";
import { NO_FILTER } from "@/features/usage/filters";
import { absoluteTime, count, countExact, duration } from "@/format/format";
import { CostCell } from "@/ui/CostCell";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { Pager } from "@/ui/Pager";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { SearchField } from "@/ui/SearchField";
import { StaleNotice } from "@/ui/StaleNotice";
import { StatusDot } from "@/ui/StatusDot";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { MoreFilters, moreUsed, NO_MORE } from "./MoreFilters";
import { outcomeOf, words } from "./outcome";
import { requestsQuery } from "./queries";
import { RequestDrawer } from "./RequestDrawer";
import { useTail, withNew } from "./useTail";

export function RequestsPage() {
  const { request: openId, cursor, live, saved, ...filter } = useSearch({ from: "/signed-in/admin/requests" });
  const navigate = useNavigate({ from: "/admin/requests" });
  const isLive = live === "on" && cursor === undefined;
  const requests = useQuery(requestsQuery(filter, cursor, isLive));
  const tail = useTail(
    filter,
    requests.isPlaceholderData ? undefined : requests.data,
    isLive,
    () => void requests.refetch(),
  );
  const rows = requests.data && (isLive ? withNew(tail.rows, requests.data.requests) : requests.data.requests);
  const narrow = (to: RequestsSearch): void =>
    void navigate({ search: (before) => ({ ...before, cursor: undefined, ...to }), replace: true });
  const open = (request: string | undefined): void =>
    void navigate({ search: (before) => ({ ...before, request }), resetScroll: false });
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  const next = requests.data?.next_cursor;
  return (
    <>
      <PageHeader
        title="Requests"
        description="Every call that came to the gateway, with what served it and what it cost."
        action={
          <Group gap="md">
            <SavedViews
              page="requests"
              shown={{ ...filter, live }}
              saved={saved}
              onOpen={(search, replace) => void navigate({ search: requestsSearch(search), replace })}
            />
            <Switch
              label="Live"
              labelPosition="left"
              checked={isLive}
              onChange={(event) => {
                narrow({ live: event.currentTarget.checked ? "on" : undefined });
                if (!event.currentTarget.checked) void requests.refetch();
              }}
            />
            <Button
              variant="default"
              leftSection={<IconRefresh size={16} />}
              loading={requests.isRefetching}
              onClick={() => void requests.refetch()}
            >
              Refresh
            </Button>
          </Group>
        }
      />
      <Stack gap="md">
        <SavedViewNotice page="requests" saved={saved} />
        <Filters filter={filter} onNarrow={narrow} />
        {isLive && <LiveNotice tail={tail} />}
        <KeptFrom from={requests.data?.kept_from} wanted={filter.from_at} isLast={rows && !next && (isFiltered || rows.length > 0)} />
        <StaleNotice query={requests} />
        {requests.isError && !requests.data ? (
          <ProblemAlert
            error={asApiError(requests.error)}
            title="The requests could not be loaded"
            onRetry={() => void requests.refetch()}
          />
        ) : (
          <Table<RequestRow>
            label="Requests"
            records={rows}
            fetching={requests.isPending}
            onRowClick={({ record }) => open(record.id)}
            empty={
              isFiltered ? (
                <EmptyState
                  title={next ? "No request fits so far" : "No request fits"}
                  action={{
                    label: "Clear Filters",
                    onClick: () => narrow({ ...NO_FILTER, ...NO_MORE, search: undefined }),
                  }}
                >
                  {next
                    ? "A page of a search looks at some thousand requests. Older goes on where this one ended."
                    : "Change or clear the filters."}
                </EmptyState>
              ) : (
                <EmptyState title="No request yet">
                  Point a client at this gateway with an API key; its calls appear here within seconds.
                </EmptyState>
              )
            }
            columns={[
              {
                accessor: "started_at",
                title: "When",
                render: (row) => (
                  <Anchor
                    component="button"
                    type="button"
                    size="sm"
                    underline="hover"
                    style={{ whiteSpace: "nowrap" }}
                    onClick={(event) => {
                      event.stopPropagation();
                      open(row.id);
                    }}
                  >
                    <TimeAgo at={row.started_at} />
                  </Anchor>
                ),
              },
              {
                accessor: "status",
                title: "Outcome",
                render: (row) => {
                  const { color, label } = outcomeOf(row.status);
                  return <StatusDot color={color} label={label} reason={row.error_type && words(row.error_type)} />;
                },
              },
              {
                accessor: "model",
                title: "Model",
                render: (row) => (
                  <Stack gap={0} miw={180}>
                    <Text size="sm">{row.model ?? row.requested_model}</Text>
                    <Text size="xs" c="dimmed">
                      {row.provider_name ?? "no provider"}
                      {row.replay_of !== null
                        ? " · replay"
                        : row.model !== null && row.requested_model !== row.model && ` · asked for ${row.requested_model}`}
                    </Text>
                  </Stack>
                ),
              },
              {
                accessor: "tokens",
                title: "Tokens in / out",
                textAlign: "right",
                noWrap: true,
                render: (row) => `${count(row.input_tokens)} / ${count(row.output_tokens)}`,
              },
              {
                accessor: "cost_usd",
                title: "Cost",
                textAlign: "right",
                noWrap: true,
                render: (row) => (
                  <CostCell usd={row.cost_usd} source={row.cost_source} note={row.cost_note} priceSource={row.price_source} pricedLater={row.priced_later} />
                ),
              },
              {
                accessor: "duration_ms",
                title: "Duration",
                textAlign: "right",
                noWrap: true,
                render: (row) => duration(row.duration_ms),
              },
              {
                accessor: "api_key_name",
                title: "Key",
                render: (row) => (
                  <Stack gap={0} miw={120}>
                    <Text size="sm">{row.api_key_name}</Text>
                    <Text size="xs" c="dimmed">
                      {row.user_email}
                    </Text>
                  </Stack>
                ),
              },
            ]}
          />
        )}
        <Pager
          cursor={cursor}
          next={next}
          onOpen={(to) => void navigate({ search: (before) => ({ ...before, cursor: to }), replace: to === undefined })}
        />
      </Stack>
      <RequestDrawer id={openId} onClose={() => open(undefined)} />
    </>
  );
}

function Filters({ filter, onNarrow }: { filter: RequestsSearch; onNarrow: (to: RequestsSearch) => void }) {
  return (
    <Stack gap="xs">
      <FilterBar
        filter={filter}
        onNarrow={onNarrow}
        search={
          <SearchField
            label="Search"
            placeholder="Request id, model, key or user"
            flex={1}
            value={filter.search ?? ""}
            onSearch={(search) => onNarrow({ search: search || undefined })}
          />
        }
        more={{
          used: moreUsed(filter),
          fields: <MoreFilters filter={filter} onNarrow={onNarrow} />,
          onClear: () => onNarrow({ ...NO_FILTER, ...NO_MORE }),
        }}
      />
      {(filter.from_at ?? filter.to_at) && (
        <Group gap="xs">
          <Text size="sm" className="oc-figures">
            Started {filter.from_at && `from ${absoluteTime(filter.from_at)} `}
            {filter.to_at && `until ${absoluteTime(filter.to_at)}`}
          </Text>
          <Button variant="subtle" size="compact-xs" onClick={() => onNarrow({ from_at: undefined, to_at: undefined })}>
            Any Time
          </Button>
        </Group>
      )}
    </Stack>
  );
}

/** Where a window, or the end of the list, reaches back to what is no longer kept. */
function KeptFrom({ from, wanted, isLast = false }: { from?: string | null; wanted?: string; isLast?: boolean }) {
  if (!from || (wanted ? Date.parse(wanted) >= Date.parse(from) : !isLast)) return null;
  return (
    <Text size="sm" c="dimmed" role="note">
      Requests from before {absoluteTime(from)} are no longer kept; figures of usage still count them.
    </Text>
  );
}

function LiveNotice({ tail }: { tail: ReturnType<typeof useTail> }) {
  const [color, word, sentence] = tail.isPaused
    ? (["gray", "Paused", "while this tab is hidden."] as const)
    : tail.isLate
      ? (["yellow", "Behind", "The server does not answer; the list catches up when it does."] as const)
      : (["green", "Live", "Requests appear as they end, the last one first."] as const);
  return (
    <Group gap="xs" role="status">
      <StatusDot color={color} label={word} />
      <Text size="xs" c="dimmed">
        {sentence}
        {tail.skipped > 0 &&
          ` ${countExact(tail.skipped)} more came than could be shown; without Live the list has them all.`}
      </Text>
    </Group>
  );
}

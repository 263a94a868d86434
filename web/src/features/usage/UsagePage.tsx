/** Explore: any metric by any group over a period, narrowed by one bar of filters; all of it stands in the address. */
import { Button, Group, Menu, SegmentedControl, Select, Skeleton, Stack } from "@mantine/core";
import { IconChevronDown, IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense } from "react";

import { asApiError } from "@/api/request";
import type { Explore } from "@/api/types";
import { loadChunk } from "@/app/loadChunk";
import { DIMENSIONS, METRICS, usageSearch, type UsageSearch } from "@/app/search";
import { SavedViewNotice, SavedViews } from "@/features/saved_views/SavedViews";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";

import { GroupsTable, PointsTable, summaryOf } from "./ExploreTable";
import { download } from "./exportShown";
import { FilterBar } from "./FilterBar";
import { NO_FILTER, usedOf } from "./filters";
import { exploreQuery } from "./queries";
import { RangeControls } from "./RangeControls";
import { useRange } from "./useRange";
import { DIMENSION_LABELS, inSentence, METRIC_LABELS } from "./words";

const ExploreChart = lazy(() => loadChunk(() => import("./ExploreChart")).then((module) => ({ default: module.ExploreChart })));

export function UsagePage() {
  const search = useSearch({ from: "/signed-in/admin/usage" });
  const navigate = useNavigate({ from: "/admin/usage" });
  const range = useRange();
  const explore = useQuery(exploreQuery(search));
  const change = (to: UsageSearch): void =>
    void navigate({ search: (before) => ({ ...before, ...to }), replace: true, resetScroll: false });
  const { data } = explore;
  const { saved, ...shown } = search;
  const metric = search.metric ?? "cost";
  const group = search.group ?? "provider";
  const title = METRIC_LABELS[metric] + (group === "none" ? "" : ` by ${inSentence(DIMENSION_LABELS[group])}`);
  return (
    <>
      <PageHeader
        title="Usage"
        description="Calls, tokens, cost and speed of everything that went through the gateway. Figures refresh every 30 seconds."
        action={
          <Group gap="xs">
            <SavedViews
              page="usage"
              shown={shown}
              saved={saved}
              onOpen={(view, replace) => void navigate({ search: usageSearch(view), replace })}
            />
            <ExportMenu explored={data} period={range.period} />
          </Group>
        }
      />
      <Stack gap="md">
        <SavedViewNotice page="usage" saved={saved} />
        <FilterBar filter={search} onNarrow={change} />
        <Panel
          title={title}
          description={data ? summaryOf(data) : " "}
          controls={<RangeControls range={range} onRefresh={() => void explore.refetch()} />}
        >
          <Stack
            gap="md"
            aria-busy={explore.isPlaceholderData || undefined}
            style={{ opacity: explore.isPlaceholderData ? 0.6 : 1 }}
          >
            <Group gap="sm" align="flex-end">
              <Select
                label="Metric"
                flex="1 1 150px"
                maw={210}
                allowDeselect={false}
                data={METRICS.map((value) => ({ value, label: METRIC_LABELS[value] }))}
                value={metric}
                onChange={(value) => change({ metric: METRICS.find((one) => one === value) })}
              />
              <Select
                label="By"
                flex="1 1 110px"
                maw={150}
                allowDeselect={false}
                data={[
                  ...DIMENSIONS.map((value) => ({ value, label: DIMENSION_LABELS[value] })),
                  { value: "none", label: "Everything" },
                ]}
                value={group}
                onChange={(value) => change({ group: DIMENSIONS.find((one) => one === value) ?? "none" })}
              />
              <SegmentedControl
                size="xs"
                aria-label="Show as"
                value={search.view ?? "chart"}
                onChange={(view) => change({ view: view === "table" ? "table" : undefined })}
                data={[
                  { value: "chart", label: "Chart" },
                  { value: "table", label: "Table" },
                ]}
              />
            </Group>
            <StaleNotice query={explore} />
            {explore.isError && !data && (
              <ProblemAlert
                error={asApiError(explore.error)}
                title="The usage could not be loaded"
                onRetry={() => void explore.refetch()}
              />
            )}
            {explore.isPending && <Skeleton height={380} />}
            {data && data.totals.calls === 0 && <Nothing search={search} onClear={() => change(NO_FILTER)} />}
            {data && data.totals.calls > 0 && (
              <>
                {search.view === "table" ? (
                  <PointsTable explored={data} />
                ) : (
                  <Suspense fallback={<Skeleton height={380} />}>
                    <ExploreChart
                      key={`${data.metric} ${data.group} ${range.period} ${data.bucket}`}
                      explored={data}
                    />
                  </Suspense>
                )}
                <GroupsTable explored={data} period={range.period} />
              </>
            )}
          </Stack>
        </Panel>
      </Stack>
    </>
  );
}

function Nothing({ search, onClear }: { search: UsageSearch; onClear: () => void }) {
  return usedOf(search) > 0 ? (
    <EmptyState
      title="No request fits in this period"
      action={{ label: "Clear Filters", onClick: onClear }}
    >
      Change the filters, or choose a longer range.
    </EmptyState>
  ) : (
    <EmptyState title="No calls in this period">
      Choose a longer range, or send a request: it shows up here within seconds.
    </EmptyState>
  );
}

function ExportMenu({ explored, period }: { explored: Explore | undefined; period: string }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" leftSection={<IconDownload size={16} />} rightSection={<IconChevronDown size={14} />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item disabled={!explored} onClick={() => explored && download(explored, "csv")}>
          What is shown, as CSV
        </Menu.Item>
        <Menu.Item disabled={!explored} onClick={() => explored && download(explored, "json")}>
          What is shown, as JSON
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item component="a" href={`/api/v1/llm/usage/export?format=csv&period=${period}`} download>
          Every request of the period, as CSV
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

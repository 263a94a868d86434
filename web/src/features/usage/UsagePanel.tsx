/** Usage Analytics: calls over time and cost by provider, as charts or as the same numbers in a table. */
import { loadChunk } from "@/app/loadChunk";
import { Group, SegmentedControl, Skeleton, Stack, Switch, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";

import { asApiError } from "@/api/request";
import { count, countExact, estimatedPart, money, moneyExact, plural } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";
import { WhenNear } from "@/ui/WhenNear";

import { usageQuery, type UsageOf } from "./queries";
import { RangeControls } from "./RangeControls";
import { UsageTable } from "./UsageTable";
import { useRange } from "./useRange";

const UsageCharts = lazy(() => loadChunk(() => import("./UsageCharts")).then((module) => ({ default: module.UsageCharts })));

export function UsagePanel({ of }: { of: UsageOf }) {
  const range = useRange();
  const usage = useQuery(usageQuery(of, range.period, range.bucket));
  const [view, setView] = useState("chart");
  const [withCost, setWithCost] = useState(false);
  const { data } = usage;
  const skeleton = <Skeleton height={300} />;
  return (
    <Panel
      title="Usage Analytics"
      description={data && data.totals.calls > 0 ? summary(data.totals) : " "}
      controls={<RangeControls range={range} onRefresh={() => void usage.refetch()} />}
    >
      <Stack gap="md" aria-busy={usage.isPlaceholderData || undefined} style={{ opacity: usage.isPlaceholderData ? 0.6 : 1 }}>
        <StaleNotice query={usage} />
        {usage.isError && !data && (
          <ProblemAlert
            error={asApiError(usage.error)}
            title="The usage could not be loaded"
            onRetry={() => void usage.refetch()}
          />
        )}
        {usage.isPending && skeleton}
        {data && data.totals.calls === 0 && (
          <EmptyState title="No calls in this period">
            Choose a longer range, or send a request: it shows up here within seconds.
          </EmptyState>
        )}
        {data && data.totals.calls > 0 && (
          <>
            <Group justify="space-between" gap="xs">
              <SegmentedControl
                size="xs"
                aria-label="Show as"
                value={view}
                onChange={setView}
                data={[
                  { value: "chart", label: "Chart" },
                  { value: "table", label: "Table" },
                ]}
              />
              {view === "chart" && (
                <Switch
                  size="xs"
                  label="Show cost as a second line"
                  checked={withCost}
                  onChange={(event) => setWithCost(event.currentTarget.checked)}
                />
              )}
            </Group>
            {view === "chart" ? (
              <WhenNear placeholder={skeleton}>
                <Suspense fallback={skeleton}>
                  <UsageCharts usage={data} bucket={range.bucket} withCost={withCost} />
                </Suspense>
              </WhenNear>
            ) : (
              <UsageTable usage={data} bucket={range.bucket} />
            )}
          </>
        )}
      </Stack>
    </Panel>
  );
}

function summary(totals: {
  calls: number;
  input_tokens: number;
  output_tokens: number;
  cost_usd: number;
  estimated_cost_usd: number;
  estimated_share: number;
  unknown_cost_calls: number;
}) {
  const exact = `${countExact(totals.calls)} calls, ${countExact(totals.input_tokens)} input and ${countExact(
    totals.output_tokens,
  )} output tokens, ${moneyExact(totals.cost_usd)}, of it ${moneyExact(totals.estimated_cost_usd)} estimated`;
  return (
    <Text component="span" size="sm" className="oc-figures" title={exact}>
      {plural(totals.calls, "call")} · {count(totals.input_tokens)} tokens in, {count(totals.output_tokens)} out ·{" "}
      {money(totals.cost_usd)}
      {totals.estimated_share > 0 && ` (${estimatedPart(totals.estimated_share)})`}
      {totals.unknown_cost_calls > 0 && ` + ${plural(totals.unknown_cost_calls, "call")} of unknown cost`}
    </Text>
  );
}

/** The two charts; a chunk of its own, so that the chart library is loaded only where a chart is drawn. */
import { LineChart, PieChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import { Box, Grid, Group, Paper, Stack, Text, Title, Tooltip, UnstyledButton } from "@mantine/core";
import { useState } from "react";

import type { Bucket, OwnUsage } from "@/api/types";
import { bucketLabel, count, countExact, estimatedPart, money, moneyExact, moneyWithUnknown, plural, share } from "@/format/format";
import { OTHER_COLOR } from "@/theme/providerColor";

import { MARGIN, X_AXIS } from "./axes";
import { OTHER, slicesOf, type Slice } from "./slices";
import { useProviderColor } from "./useColors";

interface UsageChartsProps {
  usage: OwnUsage;
  bucket: Bucket;
  withCost: boolean;
}

export function UsageCharts({ usage, bucket, withCost }: UsageChartsProps) {
  return (
    <Grid gap="xl">
      <Grid.Col span={{ base: 12, lg: 8 }}>
        <CallsOverTime usage={usage} bucket={bucket} withCost={withCost} />
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 4 }}>
        <CostByProvider usage={usage} />
      </Grid.Col>
    </Grid>
  );
}

function CallsOverTime({ usage, bucket, withCost }: UsageChartsProps) {
  const data = usage.series.map((point) => ({ ...point, label: bucketLabel(point.start_at, bucket, usage.time_zone) }));
  return (
    <Stack gap="sm">
      <Title order={3}>Usage Over Time</Title>
      <Box role="img" aria-label={`Line chart of calls per ${bucket}; "Table" shows the same numbers`}>
        <LineChart
          h={280}
          data={data}
          dataKey="label"
          curveType="monotone"
          withDots={data.length < 40}
          dotProps={{ r: 2.5 }}
          strokeWidth={2}
          withRightYAxis={withCost}
          yAxisProps={{ domain: [0, "auto"], width: 48, allowDecimals: false, tickFormatter: count }}
          rightYAxisProps={{ domain: [0, "auto"], width: 56, tickFormatter: money }}
          xAxisProps={X_AXIS}
          lineChartProps={{ margin: MARGIN }}
          series={[
            { name: "calls", label: "Calls", color: "brand.6" },
            ...(withCost ? [{ name: "cost_usd", label: "Cost", color: "yellow.6", yAxisId: "right" } as const] : []),
          ]}
          tooltipProps={{
            cursor: { stroke: "var(--mantine-color-dimmed)", strokeDasharray: "3 3" },
            content: ({ payload }) => {
              const point = payload?.[0]?.payload as (typeof data)[number] | undefined;
              if (!point) return null;
              return (
                <Paper p="xs" shadow="md" fz="xs" className="oc-figures">
                  <Text size="xs" fw={560}>
                    {point.label}
                  </Text>
                  <div>{countExact(point.calls)} calls</div>
                  <div>{moneyExact(point.cost_usd)}</div>
                  {point.estimated_cost_usd > 0 && <div>{estimatedPart(point.estimated_cost_usd / point.cost_usd)}</div>}
                  {point.unknown_cost_calls > 0 && <div>and {plural(point.unknown_cost_calls, "call")} of unknown cost</div>}
                </Paper>
              );
            },
          }}
        />
      </Box>
    </Stack>
  );
}

const partEstimated = (slice: Slice): string | null => estimatedPart(slice.estimated_cost_usd / slice.cost_usd);

function CostByProvider({ usage }: { usage: OwnUsage }) {
  const providerColor = useProviderColor();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const colorOf = (slice: Slice): string =>
    slice.provider === OTHER ? OTHER_COLOR : providerColor(slice.provider);
  const slices = slicesOf(usage.cost_by_provider);
  const shown = slices.filter((slice) => slice.cost_usd > 0 && !hidden.has(slice.provider));
  const toggle = (name: string): void =>
    setHidden((before) => {
      const after = new Set(before);
      if (!after.delete(name)) after.add(name);
      return after;
    });
  if (slices.every((slice) => slice.cost_usd === 0)) {
    return (
      <Stack gap="sm">
        <Title order={3}>Cost by Provider</Title>
        <Text size="sm" c="dimmed">
          No known cost in this period.
        </Text>
      </Stack>
    );
  }
  return (
    <Stack gap="sm">
      <Title order={3}>Cost by Provider</Title>
      <Box role="img" aria-label="Pie chart of cost by provider; the list beneath has the same numbers" mx="auto">
        <PieChart
          size={168}
          strokeWidth={shown.length > 1 ? 1 : 0}
          withTooltip
          tooltipDataSource="segment"
          valueFormatter={moneyExact}
          data={shown.map((slice) => ({
            name: slice.estimated_cost_usd > 0 ? `${slice.provider} (${partEstimated(slice)})` : slice.provider,
            value: slice.cost_usd,
            color: colorOf(slice),
          }))}
        />
      </Box>
      <Stack gap={2} component="ul" m={0} p={0} style={{ listStyle: "none" }}>
        {slices.map((slice) => (
          <li key={slice.provider}>
            <UnstyledButton
              w="100%"
              py={3}
              px={6}
              aria-pressed={!hidden.has(slice.provider)}
              onClick={() => toggle(slice.provider)}
              style={{ borderRadius: 6 }}
            >
              <Group gap={8} wrap="nowrap">
                <Box
                  w={10}
                  h={10}
                  bg={hidden.has(slice.provider) ? "transparent" : colorOf(slice)}
                  style={{ borderRadius: 3, border: `1.5px solid ${colorOf(slice)}`, flexShrink: 0 }}
                />
                <Text size="sm" flex={1} truncate td={hidden.has(slice.provider) ? "line-through" : undefined}>
                  {slice.provider}
                </Text>
                <Tooltip
                  label={
                    moneyExact(slice.cost_usd) +
                    (slice.estimated_cost_usd > 0 ? `, ${partEstimated(slice)}` : "") +
                    (slice.unknown_cost_calls ? `, and ${plural(slice.unknown_cost_calls, "call")} of unknown cost` : "")
                  }
                >
                  <Text size="sm" className="oc-figures">
                    {moneyWithUnknown(slice.cost_usd, slice.unknown_cost_calls)}
                  </Text>
                </Tooltip>
                <Text size="sm" c="dimmed" w={48} ta="right" className="oc-figures">
                  {slice.cost_usd === 0 && slice.unknown_cost_calls > 0 ? "–" : share(slice.share)}
                </Text>
              </Group>
            </UnstyledButton>
          </li>
        ))}
      </Stack>
    </Stack>
  );
}

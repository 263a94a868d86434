/** A metric over time, a line per group; a chunk of its own, like the other charts. A point lists its requests. */
import { LineChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import { Anchor, Box, Group, Paper, Stack, Text, UnstyledButton } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type KeyboardEvent } from "react";

import type { Explore } from "@/api/types";
import { bucketLabel, estimatedPart } from "@/format/format";

import { MARGIN, X_AXIS } from "./axes";
import { requestsBehind } from "./filters";
import { useLineColor } from "./useColors";
import { figure, linesOf, METRIC_LABELS, type Line } from "./words";

/** Lines are told apart without their colours, too. */
const DASHES = [undefined, "7 4", "2 3", "10 3 2 3", "4 2", "12 4", "1 4", "6 2 1 2", "3 6"];
const MOST_DOTTED = 40;

export function ExploreChart({ explored }: { explored: Explore }) {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [chosen, setChosen] = useState<number | null>(null);
  const navigate = useNavigate();
  const colorOf = useLineColor(explored.group);
  const { points, unit, bucket, time_zone: zone } = explored;
  const lines = linesOf(explored);
  const drawn = lines.map((line, index) => ({ ...line, key: keyOf(line), color: colorOf(line, index), dash: DASHES[index % DASHES.length] }));
  const shown = drawn.filter((line) => !hidden.has(line.key));
  const data = points.map((point, at) => ({
    at,
    start_at: point.start_at,
    ...Object.fromEntries(drawn.map((line) => [line.key, line.points[at]?.value ?? null])),
  }));
  const hasGaps = shown.some((line) => line.points.some((point) => point.value === null));
  const labelOf = (at: number): string => (points[at] ? bucketLabel(points[at].start_at, bucket, zone) : "");
  const at = chosen === null ? null : Math.min(chosen, points.length - 1);
  const toggle = (key: string): void =>
    setHidden((before) => {
      const after = new Set(before);
      if (!after.delete(key)) after.add(key);
      return after;
    });
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && at !== null && points[at]) {
      void navigate({ to: "/admin/requests", search: requestsBehind(explored.requests, points[at]) });
      return;
    }
    const last = points.length - 1;
    const moves: Record<string, number | null> = {
      ArrowLeft: Math.max(0, (at ?? points.length) - 1),
      ArrowRight: Math.min(last, (at ?? -1) + 1),
      Home: 0,
      End: last,
      Escape: null,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    setChosen(moves[event.key] ?? null);
  };
  return (
    <Stack gap="sm">
      <Box
        role="slider"
        tabIndex={0}
        aria-label={`${METRIC_LABELS[explored.metric]} over time: arrow keys choose a point, Enter opens its requests`}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, points.length - 1)}
        aria-valuenow={at ?? points.length - 1}
        aria-valuetext={
          at === null
            ? "no point chosen"
            : `${labelOf(at)}: ${shown.map((line) => `${line.label} ${figure(line.points[at]?.value ?? null, unit)}${guessed(line.points[at])}`).join(", ")}`
        }
        onKeyDown={onKeyDown}
        style={{ borderRadius: 8 }}
      >
        <LineChart
          h={320}
          data={data}
          dataKey="at"
          curveType="linear"
          connectNulls={false}
          withDots={hasGaps || data.length < MOST_DOTTED}
          dotProps={{ r: 2.5 }}
          strokeWidth={2}
          yAxisProps={{ domain: [0, "auto"], width: 64, tickFormatter: (value: number) => figure(value, unit) }}
          xAxisProps={{ ...X_AXIS, tickFormatter: labelOf }}
          series={shown.map((line) => ({ name: line.key, label: line.label, color: line.color, strokeDasharray: line.dash }))}
          referenceLines={at === null ? [] : [{ x: at, color: "gray.6" }]}
          lineChartProps={{
            margin: MARGIN,
            accessibilityLayer: false,
            onClick: ({ activeTooltipIndex }) => {
              const clicked = Number(activeTooltipIndex);
              if (activeTooltipIndex !== undefined && activeTooltipIndex !== null && Number.isInteger(clicked)) setChosen(clicked);
            },
            style: { cursor: "pointer" },
          }}
          tooltipProps={{
            cursor: { stroke: "var(--mantine-color-dimmed)", strokeDasharray: "3 3" },
            content: ({ payload }) => {
              const point = payload?.[0]?.payload as (typeof data)[number] | undefined;
              if (!point) return null;
              return (
                <Paper p="xs" shadow="md" fz="xs" className="oc-figures">
                  <Text size="xs" fw={560}>
                    {labelOf(point.at)}
                  </Text>
                  {shown.map((line) => (
                    <Group key={line.key} gap={6} wrap="nowrap">
                      <Swatch {...line} />
                      <span>{line.label}</span>
                      <Text component="span" size="xs" ml="auto" pl="sm">
                        {figure(line.points[point.at]?.value ?? null, unit)}
                        {guessed(line.points[point.at])}
                      </Text>
                    </Group>
                  ))}
                </Paper>
              );
            },
          }}
        />
      </Box>
      {drawn.length > 1 && (
        <Group gap={4} component="ul" m={0} p={0} style={{ listStyle: "none" }} aria-label="Lines">
          {drawn.map((line) => (
            <li key={line.key}>
              <UnstyledButton
                py={3}
                px={6}
                aria-pressed={!hidden.has(line.key)}
                onClick={() => toggle(line.key)}
                style={{ borderRadius: 6 }}
              >
                <Group gap={6} wrap="nowrap">
                  <Swatch {...line} />
                  <Text size="sm" td={hidden.has(line.key) ? "line-through" : undefined} c={hidden.has(line.key) ? "dimmed" : undefined}>
                    {line.label}
                  </Text>
                </Group>
              </UnstyledButton>
            </li>
          ))}
        </Group>
      )}
      {at === null ? (
        <Text size="xs" c="dimmed">
          Choose a point, by click or arrow keys, for the requests behind it; Enter opens them.
        </Text>
      ) : (
        <Group gap="md" role="group" aria-label={`Requests of ${labelOf(at)}`} className="oc-figures">
          <Text size="sm" fw={560}>
            {labelOf(at)}
          </Text>
          {shown.map(
            (line) =>
              line.requests !== null &&
              line.points[at] && (
                <Anchor
                  key={line.key}
                  size="sm"
                  renderRoot={(props) => (
                    <Link {...props} to="/admin/requests" search={requestsBehind(line.requests!, line.points[at])} />
                  )}
                >
                  {line.label} {figure(line.points[at].value, unit)}
                  {guessed(line.points[at])}
                </Anchor>
              ),
          )}
          {explored.group !== null && points[at] && (
            <Anchor
              size="sm"
              renderRoot={(props) => (
                <Link {...props} to="/admin/requests" search={requestsBehind(explored.requests, points[at])} />
              )}
            >
              All {figure(points[at].value, unit)}
              {guessed(points[at])}
            </Anchor>
          )}
        </Group>
      )}
    </Stack>
  );
}

/** How much of a point's cost is estimated, in words behind its figure. */
const guessed = (point: Explore["points"][number] | undefined): string => {
  const part = estimatedPart(point?.estimated_share);
  return part === null ? "" : ` (${part})`;
};

/** Names may repeat and hold dots, which the chart would take for a path: a line goes by its value. */
const keyOf = (line: Line): string =>
  line.group === null
    ? "all"
    : line.requests === null
      ? "other"
      : `of ${encodeURIComponent(line.group.value ?? "").replaceAll(".", "%2E")}`;

function Swatch({ color, dash }: { color: string; dash: string | undefined }) {
  return (
    <svg width={18} height={10} aria-hidden style={{ flexShrink: 0 }}>
      <line x1={0} x2={18} y1={5} y2={5} stroke={color} strokeWidth={3} strokeDasharray={dash} />
    </svg>
  );
}

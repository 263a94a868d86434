/** The groups with their shares and trends, and the points of the chart as numbers. Every figure lists its requests. */
import { Table as PlainTable, Text } from "@mantine/core";

import type { Explore, ExploreGroup, Period } from "@/api/types";
import { PERIODS } from "@/app/search";
import { bucketLabel, count, countExact, estimatedPart, money, moneyExact, moneyWithUnknown, share } from "@/format/format";
import { Sideways } from "@/ui/Sideways";
import { Table } from "@/ui/Table";
import { Trend } from "@/ui/Trend";

import { RequestsLink } from "./RequestsLink";
import { DIMENSION_LABELS, figure, inSentence, isUnpriced, LESS_IS_GOOD, linesOf, METRIC_LABELS } from "./words";

export function against(period: Period): string {
  return `vs previous ${PERIODS.find((one) => one.value === period)?.label ?? period}`;
}

interface Row {
  key: string;
  label: string;
  requests: string | null;
  figures: Omit<ExploreGroup, "value" | "name" | "points" | "requests">;
}

interface GroupsTableProps {
  explored: Explore;
  period: Period;
}

export function GroupsTable({ explored, period }: GroupsTableProps) {
  const { group: by, metric, unit, totals } = explored;
  const rows: Row[] = linesOf(explored).flatMap(({ label, group, requests }) =>
    group === null ? [] : [{ key: `${requests ?? "other"}`, label, requests, figures: group }],
  );
  rows.push({
    key: "everything",
    label: "Everything",
    requests: explored.requests,
    figures: { ...explored, ...totals, share: rows.some((row) => row.figures.share !== null) ? 1 : null },
  });
  return (
    <Table<Row>
      label={by === null ? "Totals" : `Totals by ${inSentence(DIMENSION_LABELS[by])}`}
      records={rows}
      idAccessor="key"
      empty={null}
      columns={[
        {
          accessor: "label",
          title: by === null ? "" : DIMENSION_LABELS[by],
          render: ({ label, requests }) =>
            requests === null ? label : <RequestsLink requests={requests}>{label}</RequestsLink>,
        },
        {
          accessor: "value",
          title: METRIC_LABELS[metric],
          textAlign: "right",
          noWrap: true,
          render: ({ figures }) => (
            <span title={figure(figures.total, unit, true)}>
              {metric === "cost"
                ? moneyWithUnknown(figures.total, figures.unknown_cost_calls)
                : figure(figures.total, unit)}
            </span>
          ),
        },
        {
          accessor: "share",
          title: "Share",
          textAlign: "right",
          noWrap: true,
          hidden: rows.every((row) => row.figures.share === null),
          render: ({ figures }) => (figures.share === null || isUnpriced(metric, figures) ? "–" : share(figures.share)),
        },
        {
          accessor: "trend",
          title: "Trend",
          noWrap: true,
          hidden: explored.previous_from_at === null,
          render: ({ figures, key }) =>
            key === "other" ? "–" : <Trend percent={figures.change_pct} against={against(period)} lessIsGood={LESS_IS_GOOD.has(metric)} />,
        },
        ...(metric === "calls"
          ? []
          : [
              {
                accessor: "calls",
                title: "Calls",
                textAlign: "right" as const,
                noWrap: true,
                render: ({ figures }: Row) => <span title={countExact(figures.calls)}>{count(figures.calls)}</span>,
              },
            ]),
        ...(metric === "cost"
          ? []
          : [
              {
                accessor: "cost_usd",
                title: "Cost",
                textAlign: "right" as const,
                noWrap: true,
                render: ({ figures }: Row) => (
                  <span title={moneyExact(figures.cost_usd)}>
                    {moneyWithUnknown(figures.cost_usd, figures.unknown_cost_calls)}
                  </span>
                ),
              },
            ]),
        {
          accessor: "estimated_share",
          title: "Cost estimated",
          textAlign: "right",
          noWrap: true,
          render: ({ figures }) => (figures.cost_usd === 0 ? "–" : share(figures.estimated_share)),
        },
        {
          accessor: "unknown_cost_calls",
          title: "Cost unknown",
          textAlign: "right",
          noWrap: true,
          hidden: totals.unknown_cost_calls === 0,
          render: ({ figures }) => count(figures.unknown_cost_calls),
        },
      ]}
    />
  );
}

export function PointsTable({ explored }: { explored: Explore }) {
  const { unit, bucket, time_zone: zone, points } = explored;
  const lines = linesOf(explored);
  const label = `${METRIC_LABELS[explored.metric]} over time`;
  return (
    <Sideways label={label} height={420}>
      <PlainTable stickyHeader fz="sm" className="oc-figures">
        <PlainTable.Caption>{label}</PlainTable.Caption>
        <PlainTable.Thead>
          <PlainTable.Tr>
            <PlainTable.Th>From</PlainTable.Th>
            {lines.map((line, index) => (
              <PlainTable.Th key={index} ta="right">
                {line.label}
              </PlainTable.Th>
            ))}
          </PlainTable.Tr>
        </PlainTable.Thead>
        <PlainTable.Tbody>
          {points
            .map((point, at) => (
              <PlainTable.Tr key={point.start_at}>
                <PlainTable.Td style={{ whiteSpace: "nowrap" }}>{bucketLabel(point.start_at, bucket, zone)}</PlainTable.Td>
                {lines.map((line, index) => {
                  const own = line.points[at];
                  const text = figure(own?.value ?? null, unit);
                  return (
                    <PlainTable.Td key={index} ta="right" title={figure(own?.value ?? null, unit, true)}>
                      {line.requests !== null && own?.value ? (
                        <RequestsLink requests={line.requests} point={own}>
                          {text}
                        </RequestsLink>
                      ) : (
                        <Text size="sm" component="span" c={own?.value ? undefined : "dimmed"}>
                          {text}
                        </Text>
                      )}
                      {own?.estimated_share ? (
                        <Text size="xs" c="dimmed">
                          {estimatedPart(own.estimated_share)}
                        </Text>
                      ) : null}
                    </PlainTable.Td>
                  );
                })}
              </PlainTable.Tr>
            ))
            .toReversed()}
        </PlainTable.Tbody>
      </PlainTable>
    </Sideways>
  );
}

export function summaryOf({ totals }: Explore): string {
  if (totals.calls === 0) return " ";
  const parts = [`${count(totals.calls)} calls`, money(totals.cost_usd)];
  if (totals.estimated_cost_usd > 0) parts.push(`${share(totals.estimated_share)} of the cost estimated`);
  if (totals.unknown_cost_calls > 0) parts.push(`${count(totals.unknown_cost_calls)} calls of unknown cost`);
  return parts.join(" · ");
}

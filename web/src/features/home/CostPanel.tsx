/** What it costs: today, this month, and what the month will come to, each with the requests behind it. */
import { Group, SimpleGrid, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";

import type { Home } from "@/api/types";
import { RequestsLink } from "@/features/usage/RequestsLink";
import { count, dayIn, money, moneyExact, moneyWithUnknown, plural, share } from "@/format/format";
import { Panel } from "@/ui/Panel";
import { PathLink } from "@/ui/PathLink";
import { StatCard } from "@/ui/StatCard";

type Cost = Home["cost"];
type Spend = Cost["today"];

export function CostPanel({ cost, timeZone }: { cost: Cost; timeZone: string }) {
  return (
    <Panel
      title="What does it cost?"
      description={`Days and months of ${timeZone}. What users paid on their own keys is not in it.`}
      controls={
        <Group gap="md">
          <PathLink path="/admin/savings">Savings advice</PathLink>
          <PathLink path="/admin/usage?metric=cost&period=30d">Explore usage</PathLink>
        </Group>
      }
    >
      <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="md">
        <SpendCard title="Today" spend={cost.today} />
        <SpendCard title="This month" spend={cost.month} series={cost.days.map((day) => day.cost_usd)} />
        <ForecastCard forecast={cost.forecast} spent={cost.month.cost_usd} timeZone={timeZone} />
      </SimpleGrid>
    </Panel>
  );
}

function SpendCard({ title, spend, series }: { title: string; spend: Spend; series?: number[] }) {
  const estimated = spend.estimated_cost_usd > 0 ? `${share(spend.estimated_share)} estimated` : "nothing estimated";
  return (
    <StatCard
      title={title}
      value={moneyWithUnknown(spend.cost_usd, spend.unknown_cost_calls)}
      exact={`${moneyExact(spend.cost_usd)}, of it ${moneyExact(spend.estimated_cost_usd)} estimated.${
        series ? " The line: the last 30 days, day by day." : ""
      }`}
      series={series}
      footer={
        <Stack gap={0}>
          <Lines>
            <RequestsLink requests={spend.requests} size="xs" underline="always">
              {plural(spend.calls, "request")}
            </RequestsLink>
            {`, ${estimated}`}
          </Lines>
          {spend.unknown_cost_calls > 0 && (
            <Lines>
              without the unknown cost of{" "}
              {spend.unknown_cost_calls === spend.calls ? "all of them" : `${count(spend.unknown_cost_calls)} of them`}
            </Lines>
          )}
        </Stack>
      }
    />
  );
}

interface ForecastCardProps {
  forecast: Cost["forecast"];
  spent: number;
  timeZone: string;
}

function ForecastCard({ forecast, spent, timeZone }: ForecastCardProps) {
  const { expected_usd: expected, low_usd: low, high_usd: high } = forecast;
  // The month ends the moment before the next one begins.
  const lastDay = dayIn(new Date(Date.parse(forecast.month_end_at) - 1).toISOString(), timeZone);
  if (expected === null) {
    return (
      <StatCard
        title="Forecast for the month"
        value="Not yet"
        footer={
          <Lines>
            Not enough days yet: {forecast.days_used} of {forecast.days_needed} whole days of traffic.
          </Lines>
        }
      />
    );
  }
  const band =
    low !== null && high !== null
      ? `The band holds 8 in 10 of ${forecast.compared} earlier forecasts by the same method, as many days ahead.`
      : `A band needs more days: ${plural(forecast.compared, "earlier forecast")} can be compared so far.`;
  return (
    <StatCard
      title="Forecast for the month"
      value={money(expected)}
      exact={
        `${moneyExact(spent)} so far, and for each of the ${plural(forecast.days_left, "day")} left (today included) what ` +
        `the last four of its weekday cost on average, over ${plural(forecast.days_used, "day")}. No growth is assumed. ${band}`
      }
      footer={
        <Stack gap={0}>
          <Lines>
            {low !== null && high !== null ? `between ${money(low)} and ${money(high)}` : "no band yet: too few days"}
          </Lines>
          <Lines>by the end of {lastDay}</Lines>
        </Stack>
      }
    />
  );
}

const Lines = ({ children }: { children: ReactNode }) => (
  <Text size="xs" c="dimmed" component="div">
    {children}
  </Text>
);

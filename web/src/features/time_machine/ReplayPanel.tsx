/** The replay of a draft: started, watched, and what has come of it, with what cannot be known. */
import { Alert, Anchor, Group, List, NumberInput, Progress, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";

import { asApiError } from "@/api/request";
import type { ReplayMove, ReplayPlace, ReplayRefusal, ReplayResult, RoutingDraft } from "@/api/types";
import { absoluteTime, change, countExact, duration, estimatedPart, money, moneyExact, plural, score } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { EmptyState } from "@/ui/EmptyState";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StatCard } from "@/ui/StatCard";
import { Table } from "@/ui/Table";

import { useReplay } from "./queries";

export function ReplayPanel({ draft, disabled }: { draft: RoutingDraft; disabled: boolean }) {
  const start = useReplay(draft.id);
  const [days, setDays] = useState<number | string>(draft.replay?.days ?? 7);
  const replay = draft.replay;
  const running = replay?.status === "running";
  return (
    <Panel
      title="Replay"
      description="Recorded requests, metadata only, through the live policy and this draft."
      controls={
        <Group gap="xs" align="flex-end">
          <NumberInput
            aria-label="Days"
            prefix="Last "
            suffix={days === 1 ? " day" : " days"}
            w={130}
            min={1}
            max={90}
            clampBehavior="strict"
            allowDecimal={false}
            value={days}
            disabled={disabled}
            onChange={setDays}
          />
          <BusyButton
            busy={running || start.isPending}
            disabled={disabled || typeof days !== "number"}
            leftSection={<IconPlayerPlay size={16} />}
            onClick={() => start.mutate(Number(days))}
          >
            Replay
          </BusyButton>
        </Group>
      }
    >
      <Stack gap="md">
        {start.isError && <ProblemAlert error={asApiError(start.error)} title="The replay did not start" />}
        {running && (
          <Stack gap={4} role="status">
            <Progress.Root size="lg">
              <Progress.Section
                value={replay.total ? (100 * replay.done) / replay.total : 0}
                animated
                aria-label="Requests replayed"
              />
            </Progress.Root>
            <Text size="xs" c="dimmed" className="oc-figures">
              {replay.total === null
                ? "Reading the ledger…"
                : `${countExact(replay.done)} of ${plural(replay.total, "request")}. Traffic goes first.`}
            </Text>
          </Stack>
        )}
        {replay?.status === "failed" && (
          <Alert color="red" title="The replay has failed">
            {replay.error}
          </Alert>
        )}
        {replay?.result && replay.outdated && (
          <Alert color="yellow" title="Out of date">
            The draft or the live policy has changed since. Replay once more.
          </Alert>
        )}
        {!replay && (
          <EmptyState title="Not replayed yet">
            Save what is to be otherwise, then replay the last days to see what it would have cost.
          </EmptyState>
        )}
        {replay?.result && <Result result={replay.result} />}
      </Stack>
    </Panel>
  );
}

function Result({ result }: { result: ReplayResult }) {
  const { before, after } = result;
  if (result.replayed === 0) {
    return (
      <EmptyState title="No request to replay">
        None was recorded with its plan between {absoluteTime(result.from_at)} and {absoluteTime(result.to_at)}.
      </EmptyState>
    );
  }
  const difference = after.cost_usd - before.cost_usd;
  return (
    <Stack gap="lg">
      <Text size="sm" c="dimmed">
        {plural(result.replayed, "request")}
        {result.sampled && ` as a sample of ${countExact(result.requests)}`}, from {absoluteTime(result.from_at)} to{" "}
        {absoluteTime(result.to_at)}.
      </Text>
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
        <StatCard
          title="Cost"
          value={`${difference > 0 ? "+" : difference < 0 ? "−" : ""}${money(Math.abs(difference))}`}
          exact={`${moneyExact(before.cost_usd)} → ${moneyExact(after.cost_usd)}`}
          footer={
            <Beneath>
              {money(before.cost_usd)}
              {partOf(before)} → {money(after.cost_usd)}
              {partOf(after)}
              {before.cost_usd > 0 && ` (${change((100 * difference) / before.cost_usd)})`}, of{" "}
              {plural(result.cost_compared, "request")}; recorded then: {money(result.recorded_cost_usd)}
              {result.recorded_estimated_cost_usd > 0 &&
                ` (${estimatedPart(result.recorded_estimated_cost_usd / result.recorded_cost_usd)})`}
            </Beneath>
          }
        />
        <StatCard
          title="Expected time of an answer"
          value={after.mean_seconds === null ? "unknown" : duration(after.mean_seconds * 1000)}
          footer={
            <Beneath>
              {before.mean_seconds === null ? "nothing measured" : `${duration(before.mean_seconds * 1000)} now`}, of{" "}
              {plural(result.speed_compared, "request")}
            </Beneath>
          }
        />
        <StatCard
          title="Quality"
          value={score(after.mean_score)}
          footer={
            <Beneath>
              {before.mean_score === null ? "no score known" : `${score(before.mean_score)} now`}, mean score of{" "}
              {plural(result.quality_compared, "request")}
            </Beneath>
          }
        />
        <StatCard
          title="Moving"
          value={countExact(result.move)}
          footer={
            <Beneath>
              {countExact(result.stay)} stay, {countExact(result.newly_refused_total)} would be refused,{" "}
              {countExact(result.newly_served_total)} served that are refused now
            </Beneath>
          }
        />
      </SimpleGrid>
      {result.newly_refused.length > 0 && (
        <Section title="Would be refused">
          <Table<ReplayRefusal>
            label="Requests that would be refused"
            records={result.newly_refused}
            idAccessor={(row) => `${row.requested_model} ${row.error_type}`}
            empty={null}
            columns={[
              { accessor: "requested_model", title: "Asks for" },
              { accessor: "requests", title: "Requests", textAlign: "right", render: (row) => countExact(row.requests) },
              { accessor: "message", title: "Because", render: (row) => <Text size="sm" miw={200}>{row.message}</Text> },
              { accessor: "examples", title: "Such as", render: (row) => <Examples ids={row.examples} /> },
            ]}
          />
        </Section>
      )}
      <Section title="Who moves where">
        <Table<ReplayMove>
          label="Moves"
          records={result.moves}
          idAccessor={(row) => JSON.stringify([row.source, row.target])}
          empty={<EmptyState title="Nobody moves" />}
          columns={[
            { accessor: "source", title: "From", render: (row) => <Where place={row.source} /> },
            { accessor: "target", title: "To", render: (row) => <Where place={row.target} /> },
            { accessor: "requests", title: "Requests", textAlign: "right", render: (row) => countExact(row.requests) },
            {
              accessor: "cost",
              title: "Cost",
              textAlign: "right",
              noWrap: true,
              render: (row) =>
                row.unknown_cost === row.requests
                  ? "unknown"
                  : `${money(row.cost_before_usd)} → ${money(row.cost_after_usd)}`,
            },
            { accessor: "examples", title: "Such as", render: (row) => <Examples ids={row.examples} /> },
          ]}
        />
        {result.moves_left_out > 0 && (
          <Text size="xs" c="dimmed">
            {plural(result.moves_left_out, "request")} in smaller moves are not listed.
          </Text>
        )}
      </Section>
      <Section title="How far this can be trusted">
        <List size="sm" spacing={4}>
          <List.Item>
            {countExact(result.reproduced.same)} of {plural(result.replayed, "request")}{" "}
            {result.reproduced.same === 1 ? "goes" : "go"} under the live policy where they really went first. Of the others,{" "}
            {countExact(result.reproduced.older_policy)} were sent under another policy, {countExact(result.reproduced.health)} while somebody was failing or used up, and{" "}
            {countExact(result.reproduced.other)} by load, speed or keys that have changed.
          </List.Item>
          {result.unknown.map((sentence) => (
            <List.Item key={sentence}>{sentence}</List.Item>
          ))}
          {result.cold_cache_usd > 0 && (
            <List.Item>With cold prompt caches it could be {money(result.cold_cache_usd)} dearer.</List.Item>
          )}
        </List>
      </Section>
    </Stack>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Stack gap="xs">
      <Title order={3}>{title}</Title>
      {children}
    </Stack>
  );
}

function Beneath({ children }: { children: ReactNode }) {
  return (
    <Text size="xs" c="dimmed" className="oc-figures">
      {children}
    </Text>
  );
}

function Where({ place }: { place: ReplayPlace }) {
  return (
    <Stack gap={0} miw={110}>
      <Text size="sm" style={{ overflowWrap: "anywhere" }}>
        {place.model}
      </Text>
      <Text size="xs" c="dimmed">
        {place.provider}
        {place.own_key && ", user's own key"}
      </Text>
    </Stack>
  );
}

/** " (3.1% estimated)" behind a cost; empty where nothing of it is. */
function partOf({ cost_usd: cost, estimated_cost_usd: estimated }: ReplayResult["before"]): string {
  return estimated > 0 ? ` (${estimatedPart(estimated / cost)})` : "";
}

function Examples({ ids }: { ids: string[] }) {
  return (
    <Group gap={6}>
      {ids.map((id, place) => (
        <Anchor
          key={id}
          size="xs"
          aria-label={`Request ${id}`}
          renderRoot={(props) => <Link {...props} to="/admin/requests/$id" params={{ id }} />}
        >
          {place + 1}
        </Anchor>
      ))}
    </Group>
  );
}

/** One request in full: what was asked, how it was routed, who was tried, what it cost and why. */
import { Box, Code, Group, Paper, Stack, Table, Text, Title, Tooltip } from "@mantine/core";
import { useId, type ReactNode } from "react";

import type { Attempt, RequestDetail } from "@/api/types";
import { PlanView } from "@/features/routing/PlanView";
import { levelLabel, strategyLabel } from "@/features/routing/strategies";
import { absoluteTime, countExact, duration, money, moneyExact } from "@/format/format";
import { CopyButton } from "@/ui/CopyButton";
import { CostCell } from "@/ui/CostCell";
import { PathLink } from "@/ui/PathLink";
import { StatusDot } from "@/ui/StatusDot";

import { BodiesPart } from "./BodiesPart";
import { lineName, outcomeOf, paidFor, words } from "./outcome";
import { ReplayPart } from "./ReplayPart";
import classes from "./RequestView.module.css";

interface RequestViewProps {
  request: RequestDetail;
  /** Beside the list there is room for the facts and the attempts alone. */
  short?: boolean;
}

export function RequestView({ request, short = false }: RequestViewProps) {
  return (
    <Stack gap="lg">
      <Group gap="xs">
        <Code>{request.id}</Code>
        <CopyButton text={request.id} label="Copy Id" />
      </Group>
      <div className={short ? undefined : classes.columns}>
        <Stack gap="lg" miw={0}>
          <Part title="Facts">
            <Facts request={request} />
          </Part>
          {!short && <Costs request={request} />}
        </Stack>
        <Stack gap="lg" miw={0} mt={short ? "lg" : undefined}>
          <Part title="Attempts">
            <Waterfall request={request} />
          </Part>
          {!short && request.dropped.length > 0 && (
            <Part title="Dropped parameters">
              <Stack gap={4} component="ul" m={0} pl="md">
                {request.dropped.map((one) => (
                  <Text component="li" size="sm" key={one.parameter}>
                    <Code>{one.parameter}</Code> {one.reason}
                  </Text>
                ))}
              </Stack>
            </Part>
          )}
          {!short && (
            <Part title="Plan">
              {request.plan ? (
                <PlanView plan={request.plan} past />
              ) : (
                <Text size="sm" c="dimmed">
                  {withoutPlan(request)}
                </Text>
              )}
            </Part>
          )}
          {!short && (
            <Part title="Prompt and answer">
              <BodiesPart request={request} />
            </Part>
          )}
        </Stack>
      </div>
      {!short && (
        <Part title="Replay">
          <ReplayPart request={request} />
        </Part>
      )}
      {short && (
        <Text size="sm">
          <PathLink path={`/admin/requests/${request.id}`}>Open with plan and price lines</PathLink>
        </Text>
      )}
    </Stack>
  );
}

const DAY_MS = 86_400_000;

/** Why no plan is shown. Retention keeps plans for a day at least, so it deleted none of today's. */
function withoutPlan({ status, attempts, started_at }: RequestDetail): string {
  const refused = status >= 400 && attempts.length === 0;
  if (Date.now() - Date.parse(started_at) < DAY_MS) {
    return refused
      ? "No plan was made: the request was refused before anybody could be chosen."
      : "No plan was kept with this request.";
  }
  return refused
    ? "No plan is kept: the request was refused before anybody could be chosen, or its plan was deleted when its days were over."
    : "The plan was deleted when its days were over: the settings keep plans for fewer days than requests.";
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <Title order={2} id={id} mb="xs" fz="md">
        {title}
      </Title>
      {children}
    </section>
  );
}

function Facts({ request }: { request: RequestDetail }) {
  const { color, label } = outcomeOf(request.status);
  const level = request.plan?.power_level;
  const facts: (readonly [string, ReactNode])[] = [
    ["Outcome", <StatusDot key="outcome" color={color} label={request.error_type ? `${label}, ${words(request.error_type)}` : label} />],
    ["Started", absoluteTime(request.started_at)],
    ["Duration", duration(request.duration_ms)],
    ...(request.queue_ms === null ? [] : [["Waited", `${duration(request.queue_ms)} for a place in a limit`] as const]),
    [
      "First chunk",
      request.time_to_first_chunk_ms === null ? "–" : `after ${duration(request.time_to_first_chunk_ms)}`,
    ],
    ["Endpoint", `${request.endpoint}${request.stream ? ", streamed" : ""}`],
    ["Asked for", request.requested_model],
    ...(request.replay_of
      ? [
          [
            "Replay of",
            <PathLink key="replay" path={`/admin/requests/${request.replay_of}`}>
              {request.replay_of}
            </PathLink>,
          ] as const,
        ]
      : []),
    ["Served by", request.provider_name ? `${request.model} at ${request.provider_name}` : "nobody"],
    [
      "Strategy",
      request.strategy
        ? `${strategyLabel(request.strategy)}${level ? `, by the power level ${levelLabel(level)}` : ""}`
        : "none, the model was named",
    ],
    ["Finished", request.finish_reason ? words(request.finish_reason) : "–"],
    ["Input tokens", `${countExact(request.input_tokens)}${cached(request)}`],
    [
      "Output tokens",
      `${countExact(request.output_tokens)}${
        request.reasoning_tokens ? `, of them ${countExact(request.reasoning_tokens)} reasoning` : ""
      }`,
    ],
    [
      "Cost",
      <CostCell
        key="cost"
        usd={request.cost_usd}
        source={request.cost_source}
        note={request.cost_note}
        priceSource={request.price_source}
      />,
    ],
    [
      "Cost known from",
      [words(request.cost_source), request.cost_note, request.price_source, request.priced_later && "priced later"]
        .filter(Boolean)
        .join(" · "),
    ],
    [
      "Credential",
      request.provider_name ? (request.credential === "byok" ? "the user's own key" : "the platform's key") : "–",
    ],
    ...(request.own_cost_source
      ? [
          [
            "User paid",
            <CostCell key="own" usd={request.own_cost_usd} source={request.own_cost_source} note={null} priceSource={request.price_source} />,
          ] as const,
        ]
      : []),
    ...(request.fallback_from === "byok"
      ? [["Fallback", "the user's own key had failed, and they allow the platform's"] as const]
      : []),
    ["API key", request.api_key_name],
    ["User", request.user_email],
  ];
  return (
    <Table fz="sm" variant="vertical" layout="fixed" withTableBorder aria-label="Facts of the request">
      <Table.Tbody>
        {facts.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th w={130}>{name}</Table.Th>
            <Table.Td style={{ overflowWrap: "anywhere" }}>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function cached(request: RequestDetail): string {
  const parts = [
    request.cache_read_tokens && `${countExact(request.cache_read_tokens)} read from cache`,
    request.cache_write_tokens && `${countExact(request.cache_write_tokens)} written to it`,
  ].filter(Boolean);
  return parts.length ? `, of them ${parts.join(" and ")}` : "";
}

function Costs({ request }: { request: RequestDetail }) {
  const lines = request.price_lines;
  const paid = paidFor(request);
  return (
    <Part title="What the cost adds up from">
      {lines.length === 0 ? (
        <Text size="sm" c="dimmed">
          {request.cost_source === "provider"
            ? "The provider billed one sum and reported it in its answer."
            : request.cost_source === "unknown"
              ? "No price is known for this model, so the cost is unknown."
              : "Nothing was billed by tokens, or the price was not kept with this request."}
        </Text>
      ) : (
        <Table fz="sm" withTableBorder aria-label="Price lines">
          <Table.Tbody>
            {lines.map((line) => (
              <Table.Tr key={line.what}>
                <Table.Td>{lineName(line.what)}</Table.Td>
                <Table.Td ta="right" className="oc-figures">
                  {line.usd_mtok !== null
                    ? `${countExact(line.tokens)} × ${money(line.usd_mtok)} / 1M`
                    : line.tokens > 0 && countExact(line.tokens)}
                </Table.Td>
                <Table.Td ta="right" className="oc-figures" title={moneyExact(line.usd)}>
                  {money(line.usd)}
                </Table.Td>
              </Table.Tr>
            ))}
            <Table.Tr>
              <Table.Th>Together</Table.Th>
              <Table.Td ta="right">
                <Text size="xs" c="dimmed">
                  {request.price_source && `Prices from ${request.price_source}`}
                  {request.late_price && `, priced later, ${absoluteTime(request.late_price.priced_at)}`}
                </Text>
              </Table.Td>
              <Table.Th ta="right" className="oc-figures" title={moneyExact(paid)}>
                {money(paid)}
              </Table.Th>
            </Table.Tr>
          </Table.Tbody>
        </Table>
      )}
      {request.listed_cost_usd !== null && paid !== null && (
        <Text size="xs" c="dimmed" mt={6} title={moneyExact(request.listed_cost_usd)}>
          At the price known here it comes to {money(request.listed_cost_usd)}
          {request.listed_cost_usd === paid
            ? ", the same."
            : `: the provider billed ${money(Math.abs(paid - request.listed_cost_usd))} ${paid > request.listed_cost_usd ? "more" : "less"}.`}
        </Text>
      )}
      {request.own_cost_source && (
        <Text size="xs" c="dimmed" mt={6}>
          Paid by the user on their own key; the platform paid nothing and saved {money(request.saved_usd)}.
        </Text>
      )}
    </Part>
  );
}

/** Each call to a provider on the request's own clock: light until its first chunk, full after it. */
function Waterfall({ request }: { request: RequestDetail }) {
  if (request.attempts.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No provider was called.
      </Text>
    );
  }
  const start = Date.parse(request.started_at);
  const whole = Math.max(
    request.duration_ms,
    ...request.attempts.map((attempt) => Date.parse(attempt.started_at) - start + attempt.duration_ms),
    1,
  );
  return (
    <Stack gap="xs" component="ol" m={0} p={0} style={{ listStyle: "none" }}>
      {request.attempts.map((attempt) => (
        <AttemptCard
          key={attempt.number}
          attempt={attempt}
          after={Math.max(0, Date.parse(attempt.started_at) - start)}
          whole={whole}
        />
      ))}
    </Stack>
  );
}

function AttemptCard({ attempt, after, whole }: { attempt: Attempt; after: number; whole: number }) {
  const success = attempt.outcome === "success";
  const first = attempt.time_to_first_chunk_ms;
  const said = [
    `started after ${duration(after)}`,
    first === null ? null : `first chunk ${duration(first)} later`,
    `took ${duration(attempt.duration_ms)}`,
  ]
    .filter(Boolean)
    .join(", ");
  const percent = (ms: number): string => `${Math.min(100, (ms / whole) * 100)}%`;
  return (
    <Paper component="li" p="sm">
      <Group justify="space-between" gap="xs">
        <Text size="sm" fw={560} style={{ overflowWrap: "anywhere" }}>
          {attempt.number}. {attempt.model} at {attempt.provider_name}
        </Text>
        <StatusDot
          color={success ? "green" : "red"}
          label={`${success ? "OK" : words(attempt.outcome)}${attempt.status ? ` (HTTP ${attempt.status})` : ""}`}
        />
      </Group>
      <Tooltip label={said}>
        <Box className={classes.track} aria-hidden>
          <Box
            className={classes.bar}
            data-failed={!success || undefined}
            style={{ left: percent(after), width: `max(3px, ${percent(attempt.duration_ms)})` }}
          >
            {first !== null && (
              <Box className={classes.wait} style={{ width: `${Math.min(100, (first / Math.max(attempt.duration_ms, 1)) * 100)}%` }} />
            )}
          </Box>
        </Box>
      </Tooltip>
      <Text size="xs" c="dimmed">
        {said}
        {attempt.credential === "byok" && ", on the user's own key"}
      </Text>
      {attempt.detail && (
        <Text size="xs" mt={4} style={{ overflowWrap: "anywhere" }}>
          {attempt.detail}
        </Text>
      )}
    </Paper>
  );
}

/** One request in full: what was asked, who was tried, what it cost and why. */
import { Code, Drawer, Group, Paper, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { asApiError } from "@/api/request";
import type { Attempt, RequestDetail } from "@/api/types";
import { strategyLabel } from "@/features/routing/strategies";
import { absoluteTime, countExact, duration } from "@/format/format";
import { CopyButton } from "@/ui/CopyButton";
import { CostCell } from "@/ui/CostCell";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StatusDot } from "@/ui/StatusDot";

import { outcomeOf, words } from "./outcome";
import { requestQuery } from "./queries";

interface RequestDrawerProps {
  id: string | undefined;
  onClose: () => void;
}

export function RequestDrawer({ id, onClose }: RequestDrawerProps) {
  return (
    <Drawer
      opened={id !== undefined}
      onClose={onClose}
      position="right"
      size="lg"
      title="Request"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {id && <Details id={id} />}
    </Drawer>
  );
}

function Details({ id }: { id: string }) {
  const query = useQuery(requestQuery(id));
  if (query.isPending) return <Skeleton height={320} />;
  if (query.isError) {
    return (
      <ProblemAlert
        error={asApiError(query.error)}
        title="The request could not be loaded"
        onRetry={() => void query.refetch()}
      />
    );
  }
  const request = query.data;
  return (
    <Stack gap="lg">
      <Group gap="xs">
        <Code>{request.id}</Code>
        <CopyButton text={request.id} label="Copy id" />
      </Group>
      <Facts request={request} />
      <section aria-labelledby="attempts">
        <Title order={3} id="attempts" mb="xs">
          Attempts
        </Title>
        {request.attempts.length === 0 ? (
          <Text size="sm" c="dimmed">
            No provider was called.
          </Text>
        ) : (
          <Stack gap="xs" component="ol" m={0} p={0} style={{ listStyle: "none" }}>
            {request.attempts.map((attempt) => (
              <AttemptCard key={attempt.number} attempt={attempt} />
            ))}
          </Stack>
        )}
      </section>
    </Stack>
  );
}

function Facts({ request }: { request: RequestDetail }) {
  const { color, label } = outcomeOf(request.status);
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
    ["Served by", request.provider_name ? `${request.model} at ${request.provider_name}` : "nobody"],
    [
      "Strategy",
      request.strategy ? strategyLabel(request.strategy) : "none, the model was named",
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
    ["Cost known from", [words(request.cost_source), request.cost_note, request.price_source].filter(Boolean).join(" · ")],
    ["Credential", request.credential === "byok" ? "the user's own key" : "the platform's key"],
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
            <Table.Td>{value}</Table.Td>
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

function AttemptCard({ attempt }: { attempt: Attempt }) {
  const success = attempt.outcome === "success";
  return (
    <Paper component="li" p="sm">
      <Group justify="space-between" gap="xs">
        <Text size="sm" fw={560}>
          {attempt.number}. {attempt.model} at {attempt.provider_name}
        </Text>
        <StatusDot
          color={success ? "green" : "red"}
          label={`${success ? "OK" : words(attempt.outcome)}${attempt.status ? ` (HTTP ${attempt.status})` : ""}`}
        />
      </Group>
      <Text size="xs" c="dimmed">
        {duration(attempt.duration_ms)}
        {attempt.time_to_first_chunk_ms !== null && `, first chunk after ${duration(attempt.time_to_first_chunk_ms)}`}
      </Text>
      {attempt.detail && (
        <Text size="xs" mt={4}>
          {attempt.detail}
        </Text>
      )}
    </Paper>
  );
}

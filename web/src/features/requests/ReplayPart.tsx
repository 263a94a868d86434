/** The request once more, to a provider of the operator's choice, and what came of it beside the original. */
import { Alert, Anchor, Button, Group, Paper, Select, SimpleGrid, Skeleton, Stack, Table, Text } from "@mantine/core";
import { IconInfoCircle, IconRepeat, IconSend } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";

import { asApiError } from "@/api/request";
import type { PriceLine, RequestDetail, RequestReplay, RequestRow } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { absoluteTime, countExact, duration, money, moneyExact } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { CostCell } from "@/ui/CostCell";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StatusDot } from "@/ui/StatusDot";

import { answerText, removedParts } from "./bodies";
import { Body } from "./BodiesPart";
import { lineName, outcomeOf, paidFor, words } from "./outcome";
import { replayOptionsQuery, useReplay } from "./queries";

export function ReplayPart({ request }: { request: RequestDetail }) {
  const isAdmin = useMay("manage settings");
  const [isOpen, setOpen] = useState(false);
  return (
    <Stack gap="md">
      {request.replays.length > 0 && <Replays replays={request.replays} />}
      {!isAdmin ? (
        <Text size="sm" c="dimmed">
          {request.replays.length > 0 ? "Admins sent it again." : "It was not sent again; admins may, where its prompt is kept."}
        </Text>
      ) : !request.bodies_kept ? (
        <Text size="sm" c="dimmed">
          Its prompt is not kept, so it cannot be sent again.
        </Text>
      ) : isOpen ? (
        <Form request={request} />
      ) : (
        <Group gap="sm">
          <Button variant="default" size="xs" leftSection={<IconRepeat size={14} />} onClick={() => setOpen(true)}>
            Replay
          </Button>
          <Text size="xs" c="dimmed">
            Send it again, to another provider and model or to the same, and compare.
          </Text>
        </Group>
      )}
    </Stack>
  );
}

function Replays({ replays }: { replays: RequestRow[] }) {
  return (
    <Stack gap="sm" component="ul" m={0} p={0} style={{ listStyle: "none" }} aria-label="Earlier replays">
      {replays.map((replay) => (
        <Group component="li" key={replay.id} gap="2px 12px">
          <Outcome request={replay} />
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            <To id={replay.id}>
              {replay.model ?? "nobody"} {replay.provider_name && `at ${replay.provider_name}`}
            </To>
          </Text>
          <Text size="xs" c="dimmed" className="oc-figures">
            {absoluteTime(replay.started_at)} · {duration(replay.duration_ms)} · {money(paidFor(replay))}
          </Text>
        </Group>
      ))}
    </Stack>
  );
}

function Form({ request }: { request: RequestDetail }) {
  const options = useQuery(replayOptionsQuery(request.id));
  const replay = useReplay(request.id);
  const [chosen, setChosen] = useState<string | null>(null);
  if (options.isPending) return <Skeleton height={120} />;
  if (options.isError) {
    return (
      <ProblemAlert
        error={asApiError(options.error)}
        title="Where it can be sent could not be loaded"
        onRetry={() => void options.refetch()}
      />
    );
  }
  const { possible, reason, hint, removed, targets } = options.data;
  if (!possible) {
    return (
      <Alert color="gray" variant="light" icon={<IconInfoCircle size={18} />} title="It cannot be sent again">
        {reason}. {hint}
      </Alert>
    );
  }
  const keyOf = (target: (typeof targets)[number]): string => `${target.provider_id}/${target.model}`;
  const target = targets.find((one) => keyOf(one) === chosen);
  const taken = removedParts(removed);
  return (
    <Stack gap="md">
      <Paper p="md">
        <Stack gap="sm">
          <Select
            label="Send to"
            description="With what the original's tokens would cost there, the cheapest first."
            placeholder={targets.length ? "Provider and model" : "Nobody else takes a request of this kind and size"}
            disabled={targets.length === 0 || replay.isPending}
            searchable
            nothingFoundMessage="No model of this name takes it"
            maw={560}
            data={targets.map((one) => ({ value: keyOf(one), label: `${one.model} at ${one.provider_name}` }))}
            renderOption={({ option }) => (
              <Group justify="space-between" gap="sm" wrap="nowrap" w="100%">
                <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                  {option.label}
                </Text>
                <Text size="sm" c="dimmed" className="oc-figures" style={{ whiteSpace: "nowrap" }}>
                  {money(targets.find((one) => keyOf(one) === option.value)?.expected_cost_usd)}
                </Text>
              </Group>
            )}
            value={chosen}
            onChange={setChosen}
          />
          <Text size="sm">
            This is a real call and costs money
            {target && (target.expected_cost_usd === null ? ", how much is unknown" : `, about ${money(target.expected_cost_usd)}`)}. The
            platform's key pays, also where you have one of your own. It is made on your API key “Replay”, within your limits and
            budget, and is in the audit log.{" "}
            {taken
              ? `It is sent as it is kept, without what redaction took out of prompt and answer: ${taken}.`
              : "Redaction had nothing to take out, so it is sent as it was."}
          </Text>
          <Group gap="sm">
            <BusyButton
              size="xs"
              leftSection={<IconSend size={14} />}
              busy={replay.isPending}
              disabled={!target}
              onClick={() => target && replay.mutate({ provider_id: target.provider_id, model: target.model })}
            >
              Send Again
            </BusyButton>
            <div role="status">
              {replay.isPending && (
                <Text size="sm" c="dimmed">
                  Waiting for the whole answer
                </Text>
              )}
            </div>
          </Group>
        </Stack>
      </Paper>
      {replay.isError && <ProblemAlert error={asApiError(replay.error)} title="It was not sent again" />}
      {replay.data && !replay.isPending && <Comparison made={replay.data} />}
    </Stack>
  );
}

function Comparison({ made }: { made: RequestReplay }) {
  const { original, replay, difference } = made;
  const kinds = [...new Set([...original.price_lines, ...replay.price_lines].map((line) => line.what))];
  const rows: { name: string; of: (request: RequestDetail) => ReactNode; less?: ReactNode }[] = [
    { name: "Outcome", of: (request) => <Outcome request={request} /> },
    { name: "Served by", of: (request) => (request.model ? `${request.model} at ${request.provider_name}` : "nobody") },
    { name: "Duration", of: (request) => duration(request.duration_ms), less: signed(difference.duration_ms, duration) },
    { name: "First chunk", of: firstChunk, less: signed(difference.time_to_first_chunk_ms, duration) },
    { name: "Input tokens", of: (request) => countExact(request.input_tokens), less: signed(difference.input_tokens, countExact) },
    { name: "Output tokens", of: (request) => countExact(request.output_tokens), less: signed(difference.output_tokens, countExact) },
    ...(original.dropped.length + replay.dropped.length === 0
      ? []
      : [{ name: "Left out", of: (request: RequestDetail) => request.dropped.map((one) => one.parameter).join(", ") || "–" }]),
    { name: "Cost", of: (request) => <Cost request={request} />, less: signed(difference.cost_usd, money) },
    ...kinds.map((what) => ({
      name: lineName(what),
      of: (request: RequestDetail) => <Line line={request.price_lines.find((line) => line.what === what)} />,
    })),
  ];
  return (
    <Stack gap="md" role="region" aria-label="Comparison">
      <Table fz="sm" withTableBorder layout="fixed" aria-label="The replay beside the original">
        <Table.Thead>
          <Table.Tr>
            <Table.Td w={110} />
            <Table.Th>Original</Table.Th>
            <Table.Th>
              <To id={replay.id}>Replay</To>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ name, of, less }) => (
            <Table.Tr key={name}>
              <Table.Th scope="row" style={{ overflowWrap: "anywhere" }}>
                {name}
              </Table.Th>
              <Table.Td className="oc-figures" style={{ overflowWrap: "anywhere" }}>
                {of(original)}
              </Table.Td>
              <Table.Td className="oc-figures" style={{ overflowWrap: "anywhere" }}>
                {of(replay)}
                {less && (
                  <Text size="xs" c="dimmed">
                    {less}
                  </Text>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Body title="Original answer" body={made.original_answer}>
          {answerText(made.original_answer.content)}
        </Body>
        <Body title="Answer of the replay" body={made.answer}>
          {answerText(made.answer.content)}
        </Body>
      </SimpleGrid>
    </Stack>
  );
}

function To({ id, children }: { id: string; children: ReactNode }) {
  return (
    <Anchor inherit renderRoot={(props) => <Link to="/admin/requests/$id" params={{ id }} {...props} />}>
      {children}
    </Anchor>
  );
}

function firstChunk(request: RequestRow): string {
  return request.time_to_first_chunk_ms === null ? "–" : duration(request.time_to_first_chunk_ms);
}

function Outcome({ request }: { request: RequestRow }) {
  const { color, label } = outcomeOf(request.status);
  return <StatusDot color={color} label={request.error_type ? `${label}, ${words(request.error_type)}` : label} />;
}

function Cost({ request }: { request: RequestRow }) {
  return (
    <CostCell
      usd={paidFor(request)}
      source={request.own_cost_source ?? request.cost_source}
      note={request.cost_note}
      priceSource={request.price_source}
    />
  );
}

function Line({ line }: { line: PriceLine | undefined }) {
  if (!line) return "–";
  return (
    <span title={moneyExact(line.usd)}>
      {money(line.usd)}
      {line.usd_mtok !== null && (
        <Text component="span" size="xs" c="dimmed">
          {" "}
          = {countExact(line.tokens)} × {money(line.usd_mtok)} / 1M
        </Text>
      )}
    </span>
  );
}

/** "+12 ms", "−$0.0004", "the same"; nothing where one of the two is not known. */
function signed(less: number | null, format: (value: number) => string): string | null {
  if (less === null) return null;
  if (less === 0) return "the same";
  return `${less > 0 ? "+" : "−"}${format(Math.abs(less))}`;
}

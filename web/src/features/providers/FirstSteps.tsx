/** The way from an empty gateway to the first answer; it listens for the first request and says when it came. */
import { Button, Code, Group, Paper, Stack, Text, ThemeIcon, Title } from "@mantine/core";
import { IconCheck, IconPlus } from "@tabler/icons-react";
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, type ReactNode } from "react";

import { listRequests } from "@/api/generated/control";
import { asApiError } from "@/api/request";
import type { Provider } from "@/api/types";
import { useCreateApiKey } from "@/features/api_keys/queries";
import { Snippets } from "@/features/api_keys/Snippets";
import { budgetsQuery } from "@/features/budgets/queries";
import { useMay } from "@/features/session/queries";
import { duration, money } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { CopyButton } from "@/ui/CopyButton";
import { PathLink } from "@/ui/PathLink";
import { ProblemAlert } from "@/ui/ProblemAlert";

const LISTEN_MS = 3000;

const firstRequestQuery = queryOptions({
  queryKey: ["requests", "first"],
  queryFn: ({ signal }) => listRequests({ limit: 1 }, { signal }).then((answer) => answer.requests[0] ?? null),
  // Listens until something came, then keeps still.
  refetchInterval: (query) => (query.state.data ? false : LISTEN_MS),
});

interface FirstStepsProps {
  providers: Provider[];
  onAdd: () => void;
}

/** Shown until the first request has arrived; nothing afterwards. */
export function FirstSteps({ providers, onAdd }: FirstStepsProps) {
  const first = useQuery(firstRequestQuery);
  const budgets = useQuery({ ...budgetsQuery, enabled: first.data === null });
  const [wasEmpty, setWasEmpty] = useState(false);
  const queryClient = useQueryClient();
  const arrived = wasEmpty && Boolean(first.data);
  // The figures on the page know of it at once, not at the next poll.
  useEffect(() => {
    if (!arrived) return;
    for (const queryKey of [["usage"], ["providers"]]) void queryClient.invalidateQueries({ queryKey });
  }, [arrived, queryClient]);
  // Remembered so that the arrival is celebrated on the page that waited for it.
  if (first.data === null && !wasEmpty) setWasEmpty(true);
  if (first.data === undefined || (first.data && !wasEmpty)) return null;
  const added = providers.length > 0;
  const hasBudget = (budgets.data?.budgets.length ?? 0) > 0;
  const tested = providers.some((provider) => provider.last_test?.success);
  return (
    <Paper component="section" aria-labelledby="first-steps" p="lg" bg="var(--oc-surface)">
      <Title order={2} id="first-steps" mb="md">
        From here to the first answer
      </Title>
      <Stack component="ol" gap="lg" m={0} p={0} style={{ listStyle: "none" }}>
        <Step number={1} done={added} title="Add a provider">
          {!added && (
            <>
              <Text size="sm" c="dimmed" mb="xs">
                OpenRouter is a good start: one key opens models of every maker.
              </Text>
              <Button size="xs" leftSection={<IconPlus size={14} />} onClick={onAdd} style={{ alignSelf: "flex-start" }}>
                Add a provider now
              </Button>
            </>
          )}
        </Step>
        <Step number={2} done={tested} title="Test it">
          {!tested && (
            <Text size="sm" c="dimmed">
              The green button on its card proves the key and measures the latency.
            </Text>
          )}
        </Step>
        <Step number={3} done={Boolean(first.data)} title="Send the first request">
          {first.data ? (
            <Text size="sm" role="status">
              It arrived: {first.data.model ?? first.data.requested_model} answered in {duration(first.data.duration_ms)},{" "}
              cost {money(first.data.cost_usd)}. <PathLink path="/admin/requests">See all requests</PathLink>
            </Text>
          ) : (
            added && <FirstRequest />
          )}
        </Step>
        <Step number={4} done={hasBudget} title="Set a budget">
          {!hasBudget && (
            <Text size="sm" c="dimmed">
              Until there is one, whoever has an API key may spend what they like. <PathLink path="/admin/budgets">Set one</PathLink>
            </Text>
          )}
        </Step>
      </Stack>
    </Paper>
  );
}

function Step({ number, done, title, children }: { number: number; done: boolean; title: string; children?: ReactNode }) {
  return (
    <li>
      <Group wrap="nowrap" align="flex-start" gap="sm">
        <ThemeIcon size={26} radius="xl" variant={done ? "filled" : "light"} color={done ? "green" : "brand"}>
          {done ? <IconCheck size={16} aria-label="done" /> : <Text fz={13}>{number}</Text>}
        </ThemeIcon>
        <Stack gap={4} flex={1} miw={0}>
          <Text fw={560}>{title}</Text>
          {children}
        </Stack>
      </Group>
    </li>
  );
}

function FirstRequest() {
  const create = useCreateApiKey();
  const creates = useMay("create keys");
  const secret = create.data?.secret;
  return (
    <Stack gap="sm">
      {!secret && creates && (
        <Group gap="sm">
          <BusyButton
            size="xs"
            variant="light"
            busy={create.isPending}
            onClick={() => create.mutate({ teamId: null, input: { name: "First request" } })}
          >
            Create a key for it
          </BusyButton>
          <Text size="sm" c="dimmed">
            or put one that you have in its place.
          </Text>
        </Group>
      )}
      {secret && (
        <Group gap="xs">
          <Code fz="sm">{secret}</Code>
          <CopyButton text={secret} label="Copy the Key" />
          <Text size="sm" c="dimmed">
            Shown only now; the examples beneath carry it.
          </Text>
        </Group>
      )}
      {create.isError && <ProblemAlert error={asApiError(create.error)} title="The key was not created" />}
      <Snippets secret={secret} />
      <Text size="sm" c="dimmed" role="status">
        Listening for the first request…
      </Text>
    </Stack>
  );
}

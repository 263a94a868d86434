/** One provider: who it is, how it does, and its three actions. */
import { Alert, Badge, Button, Group, Paper, SimpleGrid, Stack, Text, Title, Tooltip } from "@mantine/core";
import { IconBolt, IconRefresh, IconSettings, IconTrash } from "@tabler/icons-react";
import { useId, type ReactNode } from "react";

import { asApiError } from "@/api/request";
import type { Provider } from "@/api/types";
import { count, countExact, duration, estimatedPart, money, moneyExact, moneyWithUnknown, plural } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { EstimatedCost } from "@/ui/EstimatedCost";
import { Monogram } from "@/ui/Monogram";
import { StatusDot } from "@/ui/StatusDot";
import { TimeAgo } from "@/ui/TimeAgo";

import { healthOf } from "./health";
import { useRefreshModels, useTestProvider } from "./queries";
import { TestResultAlert } from "./TestResultAlert";

interface ProviderCardProps {
  provider: Provider;
  writable: boolean;
  onConfigure: () => void;
  onDelete: () => void;
  onModelsByHand: () => void;
}

export function ProviderCard({ provider, writable, onConfigure, onDelete, onModelsByHand }: ProviderCardProps) {
  const title = useId();
  const test = useTestProvider(provider.id);
  const health = healthOf(provider);
  return (
    <Paper component="article" aria-labelledby={title} p="md" bg="var(--oc-surface)">
      <Stack gap="md" h="100%">
        <Group wrap="nowrap" align="flex-start" gap="sm">
          <Monogram name={provider.name} color={provider.color} />
          <Stack gap={0} flex={1} miw={0}>
            <Title order={3} id={title}>
              {provider.name}
            </Title>
            <Text size="xs" c="dimmed">
              {provider.type_name} · priority {provider.priority}
              {provider.auto_fallback ? "" : " · no fallback"}
            </Text>
          </Stack>
          <Stack gap={4} align="flex-end">
            <StatusDot color={health.color} label={health.label} reason={health.reason} />
            {provider.demo && (
              <Badge size="xs" color="yellow">
                Demo
              </Badge>
            )}
          </Stack>
        </Group>

        <Figures provider={provider} />
        {provider.discovery.status === "failed" && (
          <DiscoveryFailure provider={provider} writable={writable} onModelsByHand={onModelsByHand} />
        )}
        {test.isPending ? (
          <Text size="sm" c="dimmed" role="status">
            Testing the connection…
          </Text>
        ) : (
          <TestResultAlert
            result={test.data ?? null}
            error={test.isError ? asApiError(test.error) : null}
            onDismiss={() => test.reset()}
          />
        )}

        {writable && (
          <Group gap="xs" mt="auto" grow wrap="nowrap" preventGrowOverflow={false}>
            <Button size="xs" px={8} variant="light" leftSection={<IconSettings size={15} />} onClick={onConfigure}>
              Configure
            </Button>
            <BusyButton
              size="xs"
              px={8}
              variant="light"
              color="green"
              leftSection={<IconBolt size={15} />}
              busy={test.isPending}
              onClick={() => test.mutate()}
            >
              Test
            </BusyButton>
            <Button
              size="xs"
              px={8}
              variant="light"
              color="red"
              leftSection={<IconTrash size={15} />}
              onClick={onDelete}
            >
              Delete
            </Button>
          </Group>
        )}
      </Stack>
    </Paper>
  );
}

function Figures({ provider }: { provider: Provider }) {
  const { last_test: lastTest } = provider;
  return (
    <SimpleGrid component="dl" cols={3} spacing="xs" verticalSpacing="xs" m={0}>
      <Figure
        label="Models"
        value={provider.discovery.status === "pending" ? "looking…" : count(provider.models_count)}
        exact="Models that are switched on"
      />
      <Figure
        label="Avg $/1M"
        value={provider.average_cost_usd === null ? "–" : money(provider.average_cost_usd)}
        exact={
          provider.average_cost_usd === null
            ? "No priced call in the last 30 days"
            : `${moneyExact(provider.average_cost_usd)} per million tokens, measured over 30 days`
        }
      />
      <Figure
        label="p50 latency"
        value={provider.latency_p50_ms === null ? "–" : duration(provider.latency_p50_ms)}
        exact="Half of the successful calls of the last 30 days were faster"
      />
      <Figure
        label="Requests 30d"
        value={count(provider.requests_30d)}
        exact={`${countExact(provider.requests_30d)} requests reached it in the last 30 days`}
      />
      <Figure
        label="Cost 30d"
        value={
          provider.requests_30d === 0
            ? "–"
            : (
                <EstimatedCost
                  text={moneyWithUnknown(provider.cost_30d_usd, provider.unknown_cost_requests_30d)}
                  part={provider.estimated_share_30d}
                />
              )
        }
        exact={costInWords(provider)}
      />
      <Figure
        label="Last test"
        value={
          lastTest ? (
            <>
              <TimeAgo at={lastTest.at} />
              {lastTest.success ? "" : ", failed"}
            </>
          ) : (
            "never"
          )
        }
        exact={lastTest?.message}
      />
    </SimpleGrid>
  );
}

function costInWords({ requests_30d, cost_30d_usd, estimated_share_30d, unknown_cost_requests_30d }: Provider): string {
  if (requests_30d === 0) return "No call in the last 30 days";
  const guess = estimatedPart(estimated_share_30d);
  const known = `${moneyExact(cost_30d_usd ?? 0)} of known cost in the last 30 days${guess ? `, ${guess}` : ""}`;
  if (unknown_cost_requests_30d === 0) return known;
  return `${known}, and ${plural(unknown_cost_requests_30d, "request")} whose price is unknown`;
}

function Figure({ label, value, exact }: { label: string; value: ReactNode; exact?: string }) {
  return (
    <div>
      <Text component="dt" size="xs" c="dimmed">
        {label}
      </Text>
      <Tooltip label={exact} disabled={!exact}>
        <Text component="dd" size="sm" fw={560} m={0} className="oc-figures">
          {value}
        </Text>
      </Tooltip>
    </div>
  );
}

interface DiscoveryFailureProps {
  provider: Provider;
  writable: boolean;
  onModelsByHand: () => void;
}

function DiscoveryFailure({ provider, writable, onModelsByHand }: DiscoveryFailureProps) {
  const refresh = useRefreshModels(provider.id);
  return (
    <Alert color="yellow" role="note" py="xs" px="sm">
      <Text size="sm">
        Its models could not be listed{provider.discovery.at && <> (<TimeAgo at={provider.discovery.at} />)</>}
        {provider.discovery.message ? `: ${provider.discovery.message}` : "."}
        {provider.models_count > 0 && ` The ${plural(provider.models_count, "model")} known before keep serving.`}
      </Text>
      {refresh.isError && (
        <Text size="sm" role="status">
          {asApiError(refresh.error).message}
        </Text>
      )}
      {writable && (
        <Group gap="xs" mt={6}>
          <BusyButton
            size="compact-xs"
            variant="default"
            leftSection={<IconRefresh size={13} />}
            busy={refresh.isPending}
            onClick={() => refresh.mutate()}
          >
            List Again
          </BusyButton>
          <Button size="compact-xs" variant="default" onClick={onModelsByHand}>
            Enter Models by Hand
          </Button>
        </Group>
      )}
    </Alert>
  );
}

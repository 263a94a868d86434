/** Many providers in rows: the same facts and actions as the cards. */
import { ActionIcon, Group, Loader, Stack, Text, Tooltip } from "@mantine/core";
import { IconBolt, IconSettings, IconTrash } from "@tabler/icons-react";
import { useState } from "react";

import { asApiError, type ApiError } from "@/api/request";
import type { Provider, TestResult } from "@/api/types";
import { count, duration, money, moneyWithUnknown } from "@/format/format";
import { Monogram } from "@/ui/Monogram";
import { EstimatedCost } from "@/ui/EstimatedCost";
import { StatusDot } from "@/ui/StatusDot";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { healthOf } from "./health";
import { useTestProvider } from "./queries";
import { TestResultAlert } from "./TestResultAlert";

interface ProviderTableProps {
  providers: Provider[];
  writable: boolean;
  onConfigure: (id: string) => void;
  onDelete: (id: string) => void;
}

interface Tested {
  name: string;
  result: TestResult | null;
  error: ApiError | null;
}

export function ProviderTable({ providers, writable, onConfigure, onDelete }: ProviderTableProps) {
  const [tested, setTested] = useState<Tested | null>(null);
  return (
    <Stack gap="sm">
      {tested && (
        <div>
          <Text size="sm" fw={560} mb={4}>
            Test of {tested.name}
          </Text>
          <TestResultAlert result={tested.result} error={tested.error} onDismiss={() => setTested(null)} />
        </div>
      )}
      <Table<Provider>
        label="Providers"
        records={providers}
        empty={null}
        columns={[
          {
            accessor: "name",
            title: "Provider",
            render: (provider) => (
              <Group gap="sm" wrap="nowrap" miw={180}>
                <Monogram name={provider.name} color={provider.color} size={28} />
                <Stack gap={0}>
                  <Text size="sm" fw={560}>
                    {provider.name}
                  </Text>
                  <Text size="xs" c="dimmed">
                    {provider.type_name}
                  </Text>
                </Stack>
              </Group>
            ),
          },
          {
            accessor: "health",
            title: "Health",
            render: (provider) => {
              const { color, label, reason } = healthOf(provider);
              return <StatusDot color={color} label={label} reason={reason} />;
            },
          },
          { accessor: "priority", title: "Priority", textAlign: "right" },
          {
            accessor: "models_count",
            title: "Models",
            textAlign: "right",
            render: (provider) => count(provider.models_count),
          },
          {
            accessor: "average_cost_usd",
            title: "Avg $/1M",
            textAlign: "right",
            render: (provider) => (provider.average_cost_usd === null ? "–" : money(provider.average_cost_usd)),
          },
          {
            accessor: "requests_30d",
            title: "Requests 30d",
            textAlign: "right",
            render: (provider) => count(provider.requests_30d),
          },
          {
            accessor: "cost_30d_usd",
            title: "Cost 30d",
            textAlign: "right",
            render: (provider) =>
              provider.requests_30d === 0
                ? "–"
                : (
                    <EstimatedCost
                      text={moneyWithUnknown(provider.cost_30d_usd, provider.unknown_cost_requests_30d)}
                      part={provider.estimated_share_30d}
                    />
                  ),
          },
          {
            accessor: "latency_p50_ms",
            title: "p50",
            textAlign: "right",
            noWrap: true,
            render: (provider) => (provider.latency_p50_ms === null ? "–" : duration(provider.latency_p50_ms)),
          },
          {
            accessor: "last_test",
            title: "Last test",
            noWrap: true,
            render: (provider) => <TimeAgo at={provider.last_test?.at ?? null} />,
          },
          {
            accessor: "actions",
            title: "Actions",
            hidden: !writable,
            render: (provider) => (
              <Actions
                provider={provider}
                onTested={setTested}
                onConfigure={() => onConfigure(provider.id)}
                onDelete={() => onDelete(provider.id)}
              />
            ),
          },
        ]}
      />
    </Stack>
  );
}

interface ActionsProps {
  provider: Provider;
  onTested: (tested: Tested) => void;
  onConfigure: () => void;
  onDelete: () => void;
}

function Actions({ provider: { id, name }, onTested, onConfigure, onDelete }: ActionsProps) {
  const test = useTestProvider(id);
  const run = (): void => {
    if (test.isPending) return;
    test.mutate(undefined, {
      onSuccess: (result) => onTested({ name, result, error: null }),
      onError: (error) => onTested({ name, result: null, error: asApiError(error) }),
    });
  };
  return (
    <Group gap={6} wrap="nowrap">
      <Tooltip label="Configure">
        <ActionIcon variant="light" aria-label={`Configure ${name}`} onClick={onConfigure}>
          <IconSettings size={16} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label="Test">
        <ActionIcon variant="light" color="green" aria-label={`Test ${name}`} aria-busy={test.isPending} onClick={run}>
          {test.isPending ? <Loader size={14} color="currentColor" /> : <IconBolt size={16} />}
        </ActionIcon>
      </Tooltip>
      <Tooltip label="Delete">
        <ActionIcon variant="light" color="red" aria-label={`Delete ${name}`} onClick={onDelete}>
          <IconTrash size={16} />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}

/** The list of keys with what they may and what they cost. */
import { Badge, Button, Code, Group, Stack, Text } from "@mantine/core";
import type { DataTableColumn } from "mantine-datatable";

import type { ApiKey, OwnedApiKey } from "@/api/types";
import { POLICIES } from "@/features/provider_keys/policies";
import { count, money, moneyExact, moneyWithUnknown, plural } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { EstimatedCost } from "@/ui/EstimatedCost";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

interface ApiKeysTableProps {
  keys: (ApiKey | OwnedApiKey)[] | undefined;
  withOwner?: boolean;
  /** Whether what is shown was searched for. */
  searched?: boolean;
  onCreate?: () => void;
  onEdit?: (key: ApiKey | OwnedApiKey) => void;
  onRevoke: (key: ApiKey) => void;
  onRotate?: (key: ApiKey) => void;
}

export function ApiKeysTable({ keys, withOwner = false, searched = false, onCreate, onEdit, onRevoke, onRotate }: ApiKeysTableProps) {
  const owner: DataTableColumn<ApiKey | OwnedApiKey>[] = withOwner
    ? [{ accessor: "user_email", title: "Owner", render: (key) => <Owner apiKey={key} /> }]
    : [];
  return (
    <Table
      label="API keys"
      records={keys}
      fetching={keys === undefined}
      empty={
        <EmptyState
          title={searched ? "No key fits" : "No API key yet"}
          action={onCreate && { label: "Create the first API key", onClick: onCreate }}
        >
          {searched ? "Change or clear the search." : "A program needs one to call the gateway."}
        </EmptyState>
      }
      columns={[
        {
          accessor: "name",
          title: "Name",
          render: (key) => (
            <Stack gap={0} miw={140}>
              <Text size="sm" fw={560}>
                {key.name}
              </Text>
              <Code fz="xs" bg="transparent" p={0}>
                {key.preview}
              </Code>
              {key.tags.length > 0 && (
                <Text size="xs" c="dimmed">
                  {key.tags.join(" · ")}
                </Text>
              )}
            </Stack>
          ),
        },
        ...owner,
        { accessor: "state", title: "State", render: (key) => <State apiKey={key} /> },
        { accessor: "limits", title: "Limits", render: (key) => <Limits apiKey={key} /> },
        {
          accessor: "last_used_at",
          title: "Last used",
          render: (key) => <TimeAgo at={key.last_used_at} />,
        },
        {
          accessor: "requests_30d",
          title: "Requests 30d",
          textAlign: "right",
          render: (key) => count(key.requests_30d),
        },
        {
          accessor: "cost_30d_usd",
          title: "Cost 30d",
          textAlign: "right",
          render: (key) =>
            key.cost_30d_usd === null ? (
              "unknown"
            ) : (
              <EstimatedCost
                text={moneyWithUnknown(key.cost_30d_usd, key.unknown_cost_requests_30d)}
                exact={moneyExact(key.cost_30d_usd)}
                part={key.estimated_share_30d}
              />
            ),
        },
        {
          accessor: "cost_month_usd",
          title: "This month",
          textAlign: "right",
          noWrap: true,
          render: (key) =>
            key.budget_usd === null ? (
              <EstimatedCost text={money(key.cost_month_usd)} part={key.estimated_share_month} />
            ) : (
              <Text size="sm" component="div" c={key.cost_month_usd >= key.budget_usd ? "red" : undefined}>
                <EstimatedCost
                  text={`${money(key.cost_month_usd)} of ${money(key.budget_usd)}`}
                  part={key.estimated_share_month}
                />
              </Text>
            ),
        },
        {
          accessor: "actions",
          title: "Actions",
          textAlign: "right",
          render: (key) =>
            key.revoked_at ? null : (
              <Group gap={6} justify="flex-end" wrap="nowrap">
                {onEdit && !hasExpired(key) && (
                  <Button size="compact-xs" variant="default" onClick={() => onEdit(key)} aria-label={`Edit ${key.name}`}>
                    Edit
                  </Button>
                )}
                {onRotate && !hasExpired(key) && (
                  <Button size="compact-xs" variant="default" onClick={() => onRotate(key)} aria-label={`Rotate ${key.name}`}>
                    Rotate
                  </Button>
                )}
                <Button
                  size="compact-xs"
                  variant="light"
                  color="red"
                  onClick={() => onRevoke(key)}
                  aria-label={`Revoke ${key.name}`}
                >
                  Revoke
                </Button>
              </Group>
            ),
        },
      ]}
    />
  );
}

function Owner({ apiKey }: { apiKey: ApiKey | OwnedApiKey }) {
  if (!("user_email" in apiKey)) return null;
  return (
    <Text size="sm" miw={150}>
      {apiKey.team_name ? `${apiKey.team_name} (team)` : apiKey.user_email}
    </Text>
  );
}

const stillToCome = (at: string): boolean => Date.parse(at) > Date.now();

const hasExpired = (key: ApiKey): boolean => key.expires_at !== null && Date.parse(key.expires_at) <= Date.now();

function State({ apiKey }: { apiKey: ApiKey }) {
  if (apiKey.revoked_at) {
    return (
      <Badge color="gray">
        Revoked <TimeAgo at={apiKey.revoked_at} />
      </Badge>
    );
  }
  if (hasExpired(apiKey)) return <Badge color="red">Expired</Badge>;
  return (
    <Stack gap={2} align="flex-start">
      <Badge color="green">Active</Badge>
      {apiKey.previous_secret_ends_at && stillToCome(apiKey.previous_secret_ends_at) && (
        <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
          old secret ends <TimeAgo at={apiKey.previous_secret_ends_at} />
        </Text>
      )}
      {apiKey.expires_at && (
        <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
          ends <TimeAgo at={apiKey.expires_at} />
        </Text>
      )}
    </Stack>
  );
}

function Limits({ apiKey }: { apiKey: ApiKey }) {
  const limits = [
    apiKey.scope === "admin" && "Control API too",
    apiKey.models && (apiKey.models.length === 1 ? apiKey.models[0] : plural(apiKey.models.length, "model")),
    apiKey.power_level,
    apiKey.providers && plural(apiKey.providers.length, "provider"),
    apiKey.requests_per_minute && `${count(apiKey.requests_per_minute)} per minute`,
    apiKey.tokens_per_minute && `${count(apiKey.tokens_per_minute)} tokens per minute`,
    apiKey.concurrent_requests && `${count(apiKey.concurrent_requests)} at once`,
    apiKey.ip_ranges && `from ${apiKey.ip_ranges.length === 1 ? apiKey.ip_ranges[0] : plural(apiKey.ip_ranges.length, "network")}`,
    apiKey.byok_policy && POLICIES.find(({ value }) => value === apiKey.byok_policy)?.label.toLowerCase(),
  ].filter(Boolean);
  return (
    <Text size="sm" miw={limits.length ? 130 : undefined} c={limits.length ? undefined : "dimmed"} title={apiKey.models?.join(", ")}>
      {limits.length ? limits.join(" · ") : "none"}
    </Text>
  );
}

/** My provider keys: bring your own key, see whether it works and what ran on it. */
import { Alert, Button, Group, Modal, Paper, SimpleGrid, Skeleton, Stack, Switch, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconBolt, IconKey, IconPlus, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";

import { asApiError } from "@/api/request";
import type { ProviderKey, ProviderKeyList } from "@/api/types";
import { TestResultAlert } from "@/features/providers/TestResultAlert";
import { estimatedPart, moneyWithUnknown, plural } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { EmptyState } from "@/ui/EmptyState";
import { Monogram } from "@/ui/Monogram";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";
import { StatusDot } from "@/ui/StatusDot";
import { TimeAgo } from "@/ui/TimeAgo";

import { POLICIES, STATUS } from "./policies";
import { ProviderKeyDialog } from "./ProviderKeyDialog";
import { providerKeysQuery, useDeleteProviderKey, useFallback, usePutProviderKey, useTestProviderKey } from "./queries";

export function ProviderKeysPage() {
  const keys = useQuery(providerKeysQuery);
  const [editing, setEditing] = useState<ProviderKey | "new" | null>(null);
  const [deleting, setDeleting] = useState<ProviderKey | null>(null);
  const taken = keys.data?.provider_keys.map((key) => key.type) ?? [];
  return (
    <>
      <PageHeader
        title="Provider Keys"
        description="Bring your own keys: requests to these providers then run on your account there, and cost the platform nothing."
        action={
          <Button leftSection={<IconPlus size={16} />} disabled={!keys.data} onClick={() => setEditing("new")}>
            Add Provider Key
          </Button>
        }
      />
      <Stack gap="md">
        <StaleNotice query={keys} />
        {keys.isError && !keys.data && (
          <ProblemAlert
            error={asApiError(keys.error)}
            title="Your keys could not be loaded"
            onRetry={() => void keys.refetch()}
          />
        )}
        {keys.isPending && <Skeleton height={180} />}
        {keys.data && <Failing keys={keys.data.provider_keys} onReplace={setEditing} />}
        {keys.data && <Policy keys={keys.data} />}
        {keys.data?.provider_keys.length === 0 && (
          <Paper bg="var(--oc-surface)">
            <EmptyState
              title="No key of your own yet"
              action={{ label: "Add the first provider key", onClick: () => setEditing("new") }}
            >
              Requests run on the platform&apos;s keys until you add one.
            </EmptyState>
          </Paper>
        )}
        <SimpleGrid cols={{ base: 1, sm: 2, xl: 3 }} spacing="md">
          {keys.data?.provider_keys.map((key) => (
            <KeyCard key={key.type} providerKey={key} onReplace={() => setEditing(key)} onDelete={() => setDeleting(key)} />
          ))}
        </SimpleGrid>
      </Stack>
      <ProviderKeyDialog
        editing={editing}
        types={keys.data?.types ?? []}
        taken={taken}
        onClose={() => setEditing(null)}
      />
      <DeleteDialog providerKey={deleting} onClose={() => setDeleting(null)} />
    </>
  );
}

/** Tells the owner at the top of the page that a key has stopped working. */
function Failing({ keys, onReplace }: { keys: ProviderKey[]; onReplace: (key: ProviderKey) => void }) {
  const failing = keys.filter((key) => key.status === "failing");
  return (
    <>
      {failing.map((key) => (
        <Alert
          key={key.type}
          color="red"
          variant="light"
          icon={<IconAlertTriangle size={18} />}
          title={`${key.type_name} refuses your key`}
        >
          <Text size="sm">
            Since <TimeAgo at={key.failing_since} />: {key.last_check?.message ?? "it was refused"}. Requests that would
            run on it fail until you replace it.
          </Text>
          <Button size="xs" mt="sm" variant="default" onClick={() => onReplace(key)}>
            Replace Key
          </Button>
        </Alert>
      ))}
    </>
  );
}

function Policy({ keys }: { keys: ProviderKeyList }) {
  const fallback = useFallback();
  const policy = POLICIES.find((one) => one.value === keys.policy);
  return (
    <Paper p="md" bg="var(--oc-surface)">
      <Stack gap="sm">
        <Text size="sm">{policy?.forUser}</Text>
        {keys.fallback_allowed && (
          <Switch
            label="Fall back to the platform's key when mine fails"
            description="Off: a request on a key that fails gets a clear error, and nothing is spent on the platform's account."
            checked={fallback.isPending ? fallback.variables : keys.fallback}
            onChange={(event) => fallback.mutate(event.currentTarget.checked)}
          />
        )}
        {fallback.isError && <ProblemAlert error={asApiError(fallback.error)} title="Not saved" />}
      </Stack>
    </Paper>
  );
}

interface KeyCardProps {
  providerKey: ProviderKey;
  onReplace: () => void;
  onDelete: () => void;
}

function KeyCard({ providerKey: key, onReplace, onDelete }: KeyCardProps) {
  const heading = useId();
  const test = useTestProviderKey(key.type);
  const put = usePutProviderKey(key.type);
  const status = STATUS[key.status];
  return (
    <Paper component="article" aria-labelledby={heading} p="md" bg="var(--oc-surface)">
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap" miw={0}>
            <Monogram name={key.type_name} color={key.color} />
            <Stack gap={0} miw={0}>
              <Title order={2} id={heading} fz={15}>
                {key.type_name}
              </Title>
              <Text size="xs" c="dimmed" ff="monospace" truncate>
                {key.credential_preview}
              </Text>
            </Stack>
          </Group>
          <StatusDot color={status.color} label={status.label} reason={key.last_check?.message} />
        </Group>
        <Text size="xs" c="dimmed" className="oc-figures">
          {plural(key.requests_30d, "request")} in 30 days · you paid{" "}
          {moneyWithUnknown(key.own_cost_30d_usd, key.unknown_cost_requests_30d)}
          {key.estimated_share_30d > 0 && ` (${estimatedPart(key.estimated_share_30d)})`} · last used{" "}
          <TimeAgo at={key.last_used_at} />
        </Text>
        <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
          Used at {key.used_at.join(", ") || "no address at present"} · checked{" "}
          <TimeAgo at={key.last_check?.at ?? null} />
        </Text>
        <Switch
          size="xs"
          label="Enabled"
          aria-label={`Use my ${key.type_name} key`}
          checked={put.isPending ? (put.variables.enabled ?? key.enabled) : key.enabled}
          onChange={(event) => put.mutate({ enabled: event.currentTarget.checked })}
        />
        {put.isError && <ProblemAlert error={asApiError(put.error)} title="Not saved" />}
        <TestResultAlert
          result={test.data ?? null}
          error={test.isError ? asApiError(test.error) : null}
          onDismiss={() => test.reset()}
        />
        <Group gap="xs" grow>
          <Button size="xs" variant="default" leftSection={<IconKey size={14} />} onClick={onReplace}>
            Replace
          </Button>
          <BusyButton
            size="xs"
            color="green"
            variant="light"
            leftSection={<IconBolt size={14} />}
            busy={test.isPending}
            onClick={() => test.mutate(undefined)}
          >
            Test
          </BusyButton>
          <Button size="xs" color="red" variant="light" leftSection={<IconTrash size={14} />} onClick={onDelete}>
            Delete
          </Button>
        </Group>
      </Stack>
    </Paper>
  );
}

function DeleteDialog({ providerKey, onClose }: { providerKey: ProviderKey | null; onClose: () => void }) {
  const remove = useDeleteProviderKey(providerKey?.type ?? "");
  return (
    <Modal
      opened={providerKey !== null}
      onClose={onClose}
      title={providerKey && `Delete your ${providerKey.type_name} key?`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Stack gap="md">
        <Text size="sm">
          The key is removed at once and cannot be brought back. What ran on it stays in your usage. Requests go by the
          platform&apos;s keys again where the policy allows it.
        </Text>
        {remove.isError && <ProblemAlert error={asApiError(remove.error)} title="The key was not deleted" />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            Cancel
          </Button>
          <BusyButton color="red" busy={remove.isPending} onClick={() => remove.mutate(undefined, { onSuccess: onClose })}>
            Delete Key
          </BusyButton>
        </Group>
      </Stack>
    </Modal>
  );
}

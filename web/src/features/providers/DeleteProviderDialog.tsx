/** Delete: says what used the provider and what would break before anything breaks. */
import { Alert, Button, Group, List, Modal, Skeleton, Stack, Table, Text, TextInput } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { Impact, Provider } from "@/api/types";
import { count, plural } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { impactQuery, useDeleteProvider } from "./queries";

interface DeleteProviderDialogProps {
  provider: Provider | null;
  onClose: () => void;
}

export function DeleteProviderDialog({ provider, onClose }: DeleteProviderDialogProps) {
  return (
    <Modal
      opened={provider !== null}
      onClose={onClose}
      title={provider && `Delete ${provider.name}?`}
      size={520}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {provider && <DeleteForm key={provider.id} provider={provider} onClose={onClose} />}
    </Modal>
  );
}

function DeleteForm({ provider, onClose }: { provider: Provider; onClose: () => void }) {
  const impact = useQuery(impactQuery(provider.id));
  const remove = useDeleteProvider(provider.id);
  const [typed, setTyped] = useState("");
  const mustType = impact.data?.in_use ?? false;
  const ready = !impact.isPending && (!mustType || typed.trim() === provider.name);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (ready && !remove.isPending) remove.mutate(undefined, { onSuccess: onClose });
      }}
    >
      <Stack gap="md">
        <Text size="sm">
          The provider and its stored key are removed at once. This cannot be undone; the usage history keeps its name.
        </Text>
        {impact.isPending && <Skeleton height={120} />}
        {impact.isError && (
          <ProblemAlert
            error={asApiError(impact.error)}
            title="What uses this provider could not be found out"
            onRetry={() => void impact.refetch()}
          />
        )}
        {impact.data && <ImpactReport impact={impact.data} />}
        {mustType && (
          <TextInput
            label={`Type ${provider.name} to confirm`}
            description="It was used in the last 24 hours."
            autoComplete="off"
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
        )}
        {remove.isError && <ProblemAlert error={asApiError(remove.error)} title="The provider was not deleted" />}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" type="button" onClick={onClose} data-autofocus>
            Cancel
          </Button>
          <BusyButton
            type="submit"
            color="red"
            leftSection={<IconTrash size={16} />}
            busy={remove.isPending}
            disabled={!ready}
          >
            Delete {provider.name}
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

function ImpactReport({ impact }: { impact: Impact }) {
  const lost = impact.models_without_provider_total ?? impact.models_without_provider.length;
  const kept = impact.models_served_elsewhere_total ?? impact.models_served_elsewhere.length;
  return (
    <Stack gap="sm">
      <Table fz="sm" withTableBorder aria-label="What used this provider">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Used in</Table.Th>
            <Table.Th ta="right">Requests</Table.Th>
            <Table.Th ta="right">API keys</Table.Th>
            <Table.Th ta="right">Users</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {(
            [
              ["the last 24 hours", impact.last_24h],
              ["the last 30 days", impact.last_30d],
            ] as const
          ).map(([label, use]) => (
            <Table.Tr key={label}>
              <Table.Td>{label}</Table.Td>
              <Table.Td ta="right">{count(use.requests)}</Table.Td>
              <Table.Td ta="right">{count(use.api_keys)}</Table.Td>
              <Table.Td ta="right">{count(use.users)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {lost > 0 && (
        <Alert color="yellow" role="note" title={`${plural(lost, "model")} would have no provider left`} py="xs">
          <Text size="sm">Requests for {lost === 1 ? "it" : "them"} will fail: {listed(impact.models_without_provider, lost)}</Text>
        </Alert>
      )}
      {kept > 0 && (
        <div>
          <Text size="sm" fw={560} mb={4}>
            {plural(kept, "model")} would be served by others
          </Text>
          <List size="sm" spacing={2}>
            {impact.models_served_elsewhere.slice(0, 5).map((row) => (
              <List.Item key={row.model}>
                {row.model}: {row.providers.join(", ")}
              </List.Item>
            ))}
          </List>
          {kept > 5 && (
            <Text size="xs" c="dimmed">
              and {count(kept - 5)} more
            </Text>
          )}
        </div>
      )}
      {lost === 0 && kept === 0 && (
        <Text size="sm" c="dimmed">
          No model depends on it.
        </Text>
      )}
    </Stack>
  );
}

function listed(names: string[], total: number): string {
  const shown = names.slice(0, 6);
  const rest = total - shown.length;
  return shown.join(", ") + (rest > 0 ? ` and ${count(rest)} more` : "");
}

/** Revoking and rotating a key: both end a secret that programs use, so both ask first. */
import { Button, Group, Modal, Select, Stack, Text } from "@mantine/core";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { ApiKey, NewApiKey, OwnedApiKey } from "@/api/types";
import { plural, relativeTime } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useRevokeApiKey, useRotateApiKey } from "./queries";

interface DialogProps {
  apiKey: ApiKey | OwnedApiKey | null;
  onClose: () => void;
}

const GRACE = [
  { value: "0", label: "No longer: it ends at once" },
  { value: "3600", label: "One more hour" },
  { value: "86400", label: "One more day" },
  { value: "604800", label: "One more week" },
];

const closeButton = { "aria-label": "Close" };

export function RevokeApiKeyDialog({ apiKey, onClose }: DialogProps) {
  return (
    <Modal opened={apiKey !== null} onClose={onClose} title={apiKey && `Revoke ${apiKey.name}?`} closeButtonProps={closeButton}>
      {apiKey && <Revoke key={apiKey.id} apiKey={apiKey} onClose={onClose} />}
    </Modal>
  );
}

function Revoke({ apiKey, onClose }: { apiKey: ApiKey | OwnedApiKey; onClose: () => void }) {
  const revoke = useRevokeApiKey(apiKey.id, "user_id" in apiKey);
  return (
    <Stack gap="md">
      <Text size="sm">Programs that use it are refused from now on. This cannot be undone.</Text>
      <Text size="sm" c="dimmed">
        Last used {relativeTime(apiKey.last_used_at)}; {plural(apiKey.requests_30d, "request")} in 30 days.
      </Text>
      {revoke.isError && <ProblemAlert error={asApiError(revoke.error)} title="The key was not revoked" />}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <BusyButton color="red" busy={revoke.isPending} onClick={() => revoke.mutate(undefined, { onSuccess: onClose })}>
          Revoke Key
        </BusyButton>
      </Group>
    </Stack>
  );
}

export function RotateApiKeyDialog({ apiKey, onClose, onRotated }: DialogProps & { onRotated: (key: NewApiKey) => void }) {
  return (
    <Modal opened={apiKey !== null} onClose={onClose} title={apiKey && `Rotate ${apiKey.name}?`} closeButtonProps={closeButton}>
      {apiKey && <Rotate key={apiKey.id} apiKey={apiKey} onClose={onClose} onRotated={onRotated} />}
    </Modal>
  );
}

function Rotate({ apiKey, onClose, onRotated }: { apiKey: ApiKey | OwnedApiKey; onClose: () => void; onRotated: (key: NewApiKey) => void }) {
  const rotate = useRotateApiKey(apiKey.id, "team_id" in apiKey ? apiKey.team_id : null);
  const [grace, setGrace] = useState("86400");
  return (
    <Stack gap="md">
      <Text size="sm">
        You get a new secret for the same key, which keeps its limits, its budget and its history. Programs that use the
        old secret need the new one.
      </Text>
      <Select
        label="The old secret works for"
        allowDeselect={false}
        data={GRACE}
        value={grace}
        onChange={(value) => setGrace(value ?? "0")}
      />
      {rotate.isError && <ProblemAlert error={asApiError(rotate.error)} title="The key was not rotated" />}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <BusyButton
          busy={rotate.isPending}
          onClick={() =>
            rotate.mutate(Number(grace), {
              onSuccess: (key) => {
                onClose();
                onRotated(key);
              },
            })
          }
        >
          Rotate Key
        </BusyButton>
      </Group>
    </Stack>
  );
}

/** Revoking and rotating a key: both end the old secret at once, so both ask first. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";

import { asApiError } from "@/api/request";
import type { ApiKey, NewApiKey } from "@/api/types";
import { plural, relativeTime } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useRevokeApiKey, useRotateApiKey } from "./queries";

interface DialogProps {
  apiKey: ApiKey | null;
  onClose: () => void;
}

const closeButton = { "aria-label": "Close" };

export function RevokeApiKeyDialog({ apiKey, onClose }: DialogProps) {
  return (
    <Modal opened={apiKey !== null} onClose={onClose} title={apiKey && `Revoke ${apiKey.name}?`} closeButtonProps={closeButton}>
      {apiKey && <Revoke key={apiKey.id} apiKey={apiKey} onClose={onClose} />}
    </Modal>
  );
}

function Revoke({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
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
          Revoke key
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

function Rotate({ apiKey, onClose, onRotated }: { apiKey: ApiKey; onClose: () => void; onRotated: (key: NewApiKey) => void }) {
  const rotate = useRotateApiKey(apiKey.id);
  return (
    <Stack gap="md">
      <Text size="sm">
        You get a new secret with the same name and limits. The old secret stops working at once: programs that use it
        need the new one.
      </Text>
      {rotate.isError && <ProblemAlert error={asApiError(rotate.error)} title="The key was not rotated" />}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <BusyButton
          busy={rotate.isPending}
          onClick={() =>
            rotate.mutate(undefined, {
              onSuccess: (key) => {
                onClose();
                onRotated(key);
              },
            })
          }
        >
          Rotate key
        </BusyButton>
      </Group>
    </Stack>
  );
}

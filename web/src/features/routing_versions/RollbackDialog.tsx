/** The way back to a version: what will change, what cannot be brought back, then one click. */
import { Alert, Button, Checkbox, Group, List, Modal, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { RoutingRollback } from "@/api/types";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { ChangeList } from "./ChangeList";
import { useRollBack } from "./queries";

interface RollbackDialogProps {
  version: number;
  rollback: RoutingRollback;
  opened: boolean;
  onClose: () => void;
  /** Called with the number of the version that the return has made. */
  onDone: (version: number) => void;
}

export function RollbackDialog({ version, rollback, opened, onClose, onDone }: RollbackDialogProps) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={`Return to version ${version}?`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Confirm version={version} rollback={rollback} onClose={onClose} onDone={onDone} />
    </Modal>
  );
}

function Confirm({ version, rollback, onClose, onDone }: Omit<RollbackDialogProps, "opened">) {
  const back = useRollBack(version);
  const [accepted, setAccepted] = useState(false);
  const incomplete = rollback.lost.length > 0;
  const go = (): void =>
    back.mutate(incomplete, {
      onSuccess: (made) => {
        notifications.show({ message: `Version ${made.version} holds now, as version ${version} did.` });
        onDone(made.version);
      },
    });
  return (
    <Stack gap="md">
      <Text size="sm">
        Traffic follows at once. It becomes a new version, so that you can return from here, too.
      </Text>
      <ChangeList
        changes={rollback.changes}
        total={rollback.changes_total}
        nothing="Nothing would change: everything is as it was then."
      />
      {incomplete && (
        <Alert color="yellow" icon={<IconAlertTriangle size={18} />} title="Not everything can be brought back">
          <List size="sm" spacing={2} mb="sm">
            {rollback.lost.map((sentence) => (
              <List.Item key={sentence} style={{ overflowWrap: "anywhere" }}>
                {sentence[0]?.toUpperCase()}
                {sentence.slice(1)}.
              </List.Item>
            ))}
          </List>
          <Checkbox
            label="Bring back the rest"
            checked={accepted}
            onChange={(event) => setAccepted(event.currentTarget.checked)}
          />
        </Alert>
      )}
      {back.isError && <ProblemAlert error={asApiError(back.error)} title="Nothing was changed" />}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <BusyButton
          busy={back.isPending}
          disabled={rollback.changes_total === 0 || (incomplete && !accepted)}
          onClick={go}
        >
          Return to version {version}
        </BusyButton>
      </Group>
    </Stack>
  );
}

/** A user's sessions, for an admin. */
import { Group, Modal, Stack, Text } from "@mantine/core";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { User } from "@/api/types";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useResetSecondFactor } from "./queries";
import { SessionsTable } from "./SessionsTable";

export function SessionsDialog({ user, onClose }: { user: User | null; onClose: () => void }) {
  return (
    <Modal
      opened={user !== null}
      onClose={onClose}
      size="xl"
      title={user && `Sessions of ${user.email}`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {user && (
        <Stack gap="lg">
          <SessionsTable whose={user.id} />
          <SecondFactor key={user.id} user={user} />
        </Stack>
      )}
    </Modal>
  );
}

/** Whether there is one, and its reset for who lost the app; asks once more, as it also ends the sessions. */
function SecondFactor({ user }: { user: User }) {
  const reset = useResetSecondFactor(user.id);
  const [asked, setAsked] = useState(false);
  if (!user.second_factor || reset.isSuccess) {
    return (
      <Text size="sm" c="dimmed">
        Signs in without a second factor.
      </Text>
    );
  }
  return (
    <Stack gap="xs">
      {reset.isError && <ProblemAlert error={asApiError(reset.error)} title="Nothing was reset" />}
      <Group justify="space-between">
        <Text size="sm">
          {asked
            ? "They can then sign in by password alone, and their sessions end."
            : "Signs in with a second factor."}
        </Text>
        <BusyButton
          variant={asked ? "filled" : "default"}
          color={asked ? "red" : undefined}
          busy={reset.isPending}
          onClick={() => (asked ? reset.mutate() : setAsked(true))}
        >
          {asked ? "Reset It Now" : "Reset Second Factor"}
        </BusyButton>
      </Group>
    </Stack>
  );
}

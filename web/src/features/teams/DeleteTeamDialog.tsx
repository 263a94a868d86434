/** Deleting a team ends its keys and budgets at once, so it asks first. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";

import { asApiError } from "@/api/request";
import type { Team } from "@/api/types";
import { plural } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useDeleteTeam } from "./queries";

export function DeleteTeamDialog({ team, onClose }: { team: Team | null; onClose: () => void }) {
  return (
    <Modal
      opened={team !== null}
      onClose={onClose}
      title={team && `Delete ${team.name}?`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {team && <Confirm key={team.id} team={team} onClose={onClose} />}
    </Modal>
  );
}

function Confirm({ team, onClose }: { team: Team; onClose: () => void }) {
  const remove = useDeleteTeam(team.id);
  return (
    <Stack gap="md">
      <Text size="sm">
        {team.service_keys > 0 ? `Its ${plural(team.service_keys, "service key")} and its budgets end` : "Its budgets end"} at once.
        Its members keep their accounts and keys; what it has spent stays in the ledger.
      </Text>
      {remove.isError && <ProblemAlert error={asApiError(remove.error)} title="The team was not deleted" />}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <BusyButton color="red" busy={remove.isPending} onClick={() => remove.mutate(undefined, { onSuccess: onClose })}>
          Delete Team
        </BusyButton>
      </Group>
    </Stack>
  );
}

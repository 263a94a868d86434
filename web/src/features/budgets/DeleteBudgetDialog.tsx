/** Deleting a budget lifts a bound at once, so it asks first. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";

import { asApiError } from "@/api/request";
import type { Budget } from "@/api/types";
import { money } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useDeleteBudget } from "./queries";

export function DeleteBudgetDialog({ budget, onClose }: { budget: Budget | null; onClose: () => void }) {
  return (
    <Modal
      opened={budget !== null}
      onClose={onClose}
      title="Delete this budget?"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {budget && <Confirm key={budget.id} budget={budget} onClose={onClose} />}
    </Modal>
  );
}

function Confirm({ budget, onClose }: { budget: Budget; onClose: () => void }) {
  const remove = useDeleteBudget(budget.id);
  return (
    <Stack gap="md">
      <Text size="sm">
        {money(budget.amount_usd)} per {budget.period} for {budget.subject_name}. From now on it bounds nothing
        any more; what was spent stays in the ledger.
      </Text>
      {remove.isError && <ProblemAlert error={asApiError(remove.error)} title="The budget was not deleted" />}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <BusyButton color="red" busy={remove.isPending} onClick={() => remove.mutate(undefined, { onSuccess: onClose })}>
          Delete Budget
        </BusyButton>
      </Group>
    </Stack>
  );
}

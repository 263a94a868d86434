/** Deleting one's own alias, or giving a packaged one its own candidates again; both change what requests mean. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";

import { asApiError } from "@/api/request";
import type { Alias } from "@/api/types";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useTakeAliasBack } from "./queries";

export function TakeAliasBackDialog({ alias, onClose }: { alias: Alias | null; onClose: () => void }) {
  return (
    <Modal
      opened={alias !== null}
      onClose={onClose}
      title={alias && `${alias.origin === "own" ? "Delete" : "Reset"} ${alias.name}?`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {alias && <Confirm key={alias.name} alias={alias} onClose={onClose} />}
    </Modal>
  );
}

function Confirm({ alias, onClose }: { alias: Alias; onClose: () => void }) {
  const takeBack = useTakeAliasBack();
  const own = alias.origin === "own";
  return (
    <Stack gap="md">
      <Text size="sm">
        {own
          ? "Requests for this name are answered with 404 from now on, unless a model of this very name is served."
          : "It gets the candidates again that come with Ops-Center, and follows the models of its family."}
      </Text>
      {takeBack.isError && (
        <ProblemAlert error={asApiError(takeBack.error)} title={`The alias was not ${own ? "deleted" : "reset"}`} />
      )}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <BusyButton
          color="red"
          busy={takeBack.isPending}
          onClick={() => takeBack.mutate(alias.name, { onSuccess: onClose })}
        >
          {own ? "Delete Alias" : "Reset Alias"}
        </BusyButton>
      </Group>
    </Stack>
  );
}

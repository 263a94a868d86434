/** What the page shows now, kept under a name. */
import { Checkbox, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useState, type FormEvent } from "react";

import { asApiError } from "@/api/request";
import type { SavedView, ViewPage } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useSaveView, type ViewSearch } from "./queries";

interface SaveViewDialogProps {
  page: ViewPage;
  shown: ViewSearch;
  opened: boolean;
  onClose: () => void;
  onSaved: (view: SavedView) => void;
}

export function SaveViewDialog({ opened, onClose, ...form }: SaveViewDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="Save as a View" closeButtonProps={{ "aria-label": "Close" }}>
      <SaveForm {...form} />
    </Modal>
  );
}

function SaveForm({ page, shown, onSaved }: Omit<SaveViewDialogProps, "opened" | "onClose">) {
  const save = useSaveView(page);
  const shares = useMay("write gateway");
  const [name, setName] = useState("");
  const [shared, setShared] = useState(false);
  const [isDefault, setDefault] = useState(false);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!name.trim() || save.isPending) return;
    save.mutate({ name, query: shown, shared, is_default: isDefault }, { onSuccess: onSaved });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput
          label="Name"
          description="Filters, time range and what is drawn are kept; figures are always today's."
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
        {shares && (
          <Checkbox
            label="Share with everybody who may see this page"
            checked={shared}
            onChange={(event) => setShared(event.currentTarget.checked)}
          />
        )}
        <Checkbox
          label="Open this page with it"
          checked={isDefault}
          onChange={(event) => setDefault(event.currentTarget.checked)}
        />
        {save.isError && <ProblemAlert error={asApiError(save.error)} title="The view was not saved" />}
        <Group justify="flex-end">
          <BusyButton type="submit" busy={save.isPending} disabled={!name.trim()}>
            Save View
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

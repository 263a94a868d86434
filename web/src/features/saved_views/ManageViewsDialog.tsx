/** The saved views of a page: renamed, shared, chosen as default, deleted. */
import { ActionIcon, Button, Group, Modal, Paper, Stack, Switch, Text, TextInput, Tooltip } from "@mantine/core";
import { IconPencil, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { asApiError } from "@/api/request";
import type { SavedView, ViewPage } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { savedViewsQuery, useChangeView, useDeleteView } from "./queries";

interface ManageViewsDialogProps {
  page: ViewPage;
  opened: boolean;
  onClose: () => void;
}

export function ManageViewsDialog({ page, opened, onClose }: ManageViewsDialogProps) {
  const views = useQuery({ ...savedViewsQuery(page), enabled: opened }).data ?? [];
  return (
    <Modal opened={opened} onClose={onClose} title="Saved Views" size="lg" closeButtonProps={{ "aria-label": "Close" }}>
      <Stack gap="xs" component="ul" m={0} p={0} style={{ listStyle: "none" }}>
        {views.length === 0 && (
          <Text size="sm" c="dimmed">
            Nothing is saved.
          </Text>
        )}
        {views.map((view) => (
          <ViewRow key={view.id} page={page} view={view} />
        ))}
      </Stack>
    </Modal>
  );
}

function ViewRow({ page, view }: { page: ViewPage; view: SavedView }) {
  const change = useChangeView(page);
  const remove = useDeleteView(page);
  const shares = useMay("write gateway");
  const [doing, setDoing] = useState<"rename" | "delete" | null>(null);
  const error = change.error ?? remove.error;
  return (
    <Paper component="li" p="sm" aria-label={view.name}>
      <Stack gap="xs">
        {doing === "rename" ? (
          <RenameForm
            view={view}
            busy={change.isPending}
            onRename={(name) => change.mutate({ id: view.id, name }, { onSuccess: () => setDoing(null) })}
            onCancel={() => setDoing(null)}
          />
        ) : (
          <Group justify="space-between" gap="xs" wrap="nowrap">
            <div style={{ minWidth: 0 }}>
              <Text size="sm" fw={560} style={{ overflowWrap: "anywhere" }}>
                {view.name}
              </Text>
              {!view.own && (
                <Text size="xs" c="dimmed">
                  by {view.owner_email}
                </Text>
              )}
            </div>
            {view.may_change && (
              <Group gap={4} wrap="nowrap">
                <Tooltip label="Rename">
                  <ActionIcon variant="subtle" aria-label={`Rename ${view.name}`} onClick={() => setDoing("rename")}>
                    <IconPencil size={16} />
                  </ActionIcon>
                </Tooltip>
                <Tooltip label="Delete">
                  <ActionIcon
                    variant="subtle"
                    color="red"
                    aria-label={`Delete ${view.name}`}
                    onClick={() => setDoing("delete")}
                  >
                    <IconTrash size={16} />
                  </ActionIcon>
                </Tooltip>
              </Group>
            )}
          </Group>
        )}
        <Group gap="lg">
          <Switch
            size="xs"
            label="Opens by itself"
            checked={view.is_default}
            disabled={change.isPending}
            onChange={(event) => change.mutate({ id: view.id, is_default: event.currentTarget.checked })}
          />
          <Switch
            size="xs"
            label="Shared"
            checked={view.shared}
            disabled={change.isPending || !view.may_change || (!shares && !view.shared)}
            onChange={(event) => change.mutate({ id: view.id, shared: event.currentTarget.checked })}
          />
        </Group>
        {doing === "delete" && (
          <Group gap="xs">
            <Text size="sm">{view.shared ? "It is gone for everybody." : "It cannot be brought back."}</Text>
            <BusyButton size="xs" color="red" busy={remove.isPending} onClick={() => remove.mutate(view.id)}>
              Delete View
            </BusyButton>
            <Button size="xs" variant="default" onClick={() => setDoing(null)} data-autofocus>
              Keep
            </Button>
          </Group>
        )}
        {error && <ProblemAlert error={asApiError(error)} title="The view was not changed" />}
      </Stack>
    </Paper>
  );
}

interface RenameFormProps {
  view: SavedView;
  busy: boolean;
  onRename: (name: string) => void;
  onCancel: () => void;
}

function RenameForm({ view, busy, onRename, onCancel }: RenameFormProps) {
  const [name, setName] = useState(view.name);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (name.trim() && !busy) onRename(name);
  };
  return (
    <form onSubmit={submit}>
      <Group gap="xs" align="flex-end">
        <TextInput
          label="Name"
          flex="1 1 200px"
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          autoFocus
        />
        <BusyButton type="submit" size="sm" busy={busy} disabled={!name.trim()}>
          Rename
        </BusyButton>
        <Button size="sm" variant="default" onClick={onCancel}>
          Cancel
        </Button>
      </Group>
    </form>
  );
}

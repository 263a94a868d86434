/** A team made or changed: its name, who is in it, and its policy over own keys. */
import { Button, Group, Modal, MultiSelect, Select, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { ByokPolicy, Team } from "@/api/types";
import { POLICIES } from "@/features/provider_keys/policies";
import { usersQuery } from "@/features/users/queries";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useSaveTeam } from "./queries";

interface TeamDialogProps {
  editing: Team | "new" | null;
  teams: Team[];
  onClose: () => void;
}

const GLOBAL = "none";

export function TeamDialog({ editing, teams, onClose }: TeamDialogProps) {
  const team = editing === "new" ? null : editing;
  return (
    <Modal
      opened={editing !== null}
      onClose={onClose}
      title={team ? `Edit ${team.name}` : "Add Team"}
      size={480}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {editing !== null && <TeamForm key={team?.id ?? "new"} team={team} teams={teams} onClose={onClose} />}
    </Modal>
  );
}

function TeamForm({ team, teams, onClose }: { team: Team | null; teams: Team[]; onClose: () => void }) {
  const save = useSaveTeam(team);
  const users = useQuery(usersQuery);
  const form = useForm({
    initialValues: {
      name: team?.name ?? "",
      member_ids: team?.members.map(({ id }) => id) ?? [],
      byok_policy: (team?.byok_policy ?? GLOBAL) as ByokPolicy | typeof GLOBAL,
    },
    validate: { name: (value) => (value.trim() ? null : "Give it a name") },
  });
  const elsewhere = new Map(
    teams.filter(({ id }) => id !== team?.id).flatMap(({ name, members }) => members.map(({ id }) => [id, name] as const)),
  );
  const submit = form.onSubmit((values) => {
    if (save.isPending) return;
    save.mutate(
      {
        name: values.name.trim(),
        member_ids: values.member_ids,
        byok_policy: values.byok_policy === GLOBAL ? null : values.byok_policy,
      },
      {
        onSuccess: onClose,
        onError: (error) => {
          const { param, message } = asApiError(error);
          if (param && param in values) form.setFieldError(param, message);
        },
      },
    );
  });
  const failure = save.isError ? asApiError(save.error) : null;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <TextInput label="Name" autoComplete="off" data-autofocus {...form.getInputProps("name")} />
        <MultiSelect
          label="Members"
          description="A user is in one team at most: who is in another leaves it."
          searchable
          data={(users.data ?? []).map(({ id, email }) => ({
            value: id,
            label: elsewhere.has(id) ? `${email} (now ${elsewhere.get(id)})` : email,
          }))}
          nothingFoundMessage="Nobody of that email"
          {...form.getInputProps("member_ids")}
        />
        <Select
          label="Policy over own keys"
          description="Can only tighten the policy of the installation."
          allowDeselect={false}
          data={[
            { value: GLOBAL, label: "As the installation's" },
            ...POLICIES.map(({ value, label }) => ({ value, label })),
          ]}
          {...form.getInputProps("byok_policy")}
        />
        {failure && Object.keys(form.errors).length === 0 && (
          <ProblemAlert error={failure} title="The team was not saved" />
        )}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={save.isPending}>
            {team ? "Save" : "Add Team"}
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

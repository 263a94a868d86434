/** An alias made or changed: its name, and the models it may mean, the best first. */
import { ActionIcon, Autocomplete, Button, Code, Group, Input, Modal, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconArrowDown, IconArrowUp, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { Alias } from "@/api/types";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { modelNamesQuery, useSaveAlias } from "./queries";

interface AliasDialogProps {
  editing: Alias | "new" | null;
  aliases: Alias[];
  onClose: () => void;
}

export function AliasDialog({ editing, aliases, onClose }: AliasDialogProps) {
  const alias = editing === "new" ? null : editing;
  return (
    <Modal
      opened={editing !== null}
      onClose={onClose}
      title={alias ? `Edit ${alias.name}` : "Add Alias"}
      size={520}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {editing !== null && <AliasForm key={alias?.name ?? "new"} alias={alias} aliases={aliases} onClose={onClose} />}
    </Modal>
  );
}

interface AliasFormProps {
  alias: Alias | null;
  aliases: Alias[];
  onClose: () => void;
}

function AliasForm({ alias, aliases, onClose }: AliasFormProps) {
  const save = useSaveAlias();
  const names = useQuery(modelNamesQuery);
  const [typed, setTyped] = useState("");
  const form = useForm({
    initialValues: { name: alias?.name ?? "", candidates: alias?.candidates ?? [] },
    validate: {
      name: (value) => nameProblem(value, alias, aliases),
      candidates: (value) => (value.length === 0 && !typed.trim() ? "Add at least one model" : null),
    },
  });
  const { candidates } = form.values;
  const put = (next: string[]): void => form.setFieldValue("candidates", next);
  const add = (name: string): void => {
    const model = name.trim();
    if (model && !candidates.includes(model)) put([...candidates, model]);
    setTyped("");
  };
  const move = (from: number, to: number): void => {
    const next = [...candidates];
    next.splice(to, 0, ...next.splice(from, 1));
    put(next);
  };
  const submit = form.onSubmit((values) => {
    if (save.isPending) return;
    // What was typed and not yet added is meant too.
    const wanted = [...new Set([...values.candidates, typed.trim()])].filter(Boolean);
    save.mutate(
      { name: values.name.trim(), candidates: wanted },
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
        {alias === null && (
          <TextInput
            label="Name"
            description="What applications send as the model: one word, such as house-model."
            autoComplete="off"
            data-autofocus
            {...form.getInputProps("name")}
          />
        )}
        <Input.Wrapper
          label="Models"
          labelElement="div"
          description="The first that a provider serves is called, so the best comes first."
          error={form.errors.candidates}
        >
          <Stack gap={6} mt={6} component="ol" aria-label="Models in order" p={0} m={0}>
            {candidates.map((model, place) => (
              <Paper key={model} component="li" withBorder px="xs" py={4} style={{ listStyle: "none" }}>
                <Group gap={4} wrap="nowrap">
                  <Text size="xs" c="dimmed" w={22} className="oc-figures">
                    {place + 1}.
                  </Text>
                  <Code fz="xs" bg="transparent" p={0} flex={1} style={{ overflowWrap: "anywhere" }}>
                    {model}
                  </Code>
                  <ActionIcon
                    variant="subtle"
                    color="gray"
                    size="sm"
                    aria-label={`Move ${model} up`}
                    disabled={place === 0}
                    onClick={() => move(place, place - 1)}
                  >
                    <IconArrowUp size={14} />
                  </ActionIcon>
                  <ActionIcon
                    variant="subtle"
                    color="gray"
                    size="sm"
                    aria-label={`Move ${model} down`}
                    disabled={place === candidates.length - 1}
                    onClick={() => move(place, place + 1)}
                  >
                    <IconArrowDown size={14} />
                  </ActionIcon>
                  <ActionIcon
                    variant="subtle"
                    color="gray"
                    size="sm"
                    aria-label={`Remove ${model}`}
                    onClick={() => put(candidates.filter((one) => one !== model))}
                  >
                    <IconX size={14} />
                  </ActionIcon>
                </Group>
              </Paper>
            ))}
          </Stack>
        </Input.Wrapper>
        <Group gap="xs" align="flex-end" wrap="nowrap">
          <Autocomplete
            label="Add a model"
            placeholder="Its name, as a provider lists it"
            flex={1}
            limit={50}
            data={names.data ?? []}
            value={typed}
            onChange={setTyped}
            onOptionSubmit={(name) => add(name)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && typed.trim()) {
                event.preventDefault();
                add(typed);
              }
            }}
          />
          <Button variant="default" type="button" disabled={!typed.trim()} onClick={() => add(typed)}>
            Add
          </Button>
        </Group>
        {failure && Object.keys(form.errors).length === 0 && (
          <ProblemAlert error={failure} title="The alias was not saved" />
        )}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={save.isPending}>
            {alias ? "Save" : "Add Alias"}
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

/** A new alias must not overwrite one that is there already; the server checks everything else. */
function nameProblem(value: string, alias: Alias | null, aliases: Alias[]): string | null {
  const name = value.trim().toLowerCase();
  if (!name) return "Give it a name";
  if (alias === null && aliases.some((one) => one.name === name)) return "There is an alias of this name: edit that one";
  return null;
}

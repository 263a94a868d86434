/** A new key: a name is enough; limits are optional. */
import { Button, Group, Modal, NumberInput, Select, Stack, TagsInput, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { ApiKeyInput, NewApiKey } from "@/api/types";
import { modelNamesQuery } from "@/features/models/queries";
import { useMay } from "@/features/session/queries";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useCreateApiKey } from "./queries";

interface CreateApiKeyDialogProps {
  opened: boolean;
  onClose: () => void;
  onCreated: (key: NewApiKey) => void;
}

export function CreateApiKeyDialog({ opened, onClose, onCreated }: CreateApiKeyDialogProps) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Create API Key"
      size={480}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <CreateApiKeyForm onClose={onClose} onCreated={onCreated} />
    </Modal>
  );
}

const EXPIRIES = [
  { value: "never", label: "Never" },
  { value: "7", label: "In 7 days" },
  { value: "30", label: "In 30 days" },
  { value: "90", label: "In 90 days" },
  { value: "365", label: "In a year" },
];
const DAY_MS = 86_400_000;

const inDays = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();

function CreateApiKeyForm({ onClose, onCreated }: Omit<CreateApiKeyDialogProps, "opened">) {
  const create = useCreateApiKey();
  const isAdmin = useMay("manage users");
  const readsModels = useMay("read gateway");
  const models = useQuery({ ...modelNamesQuery, enabled: readsModels });
  const form = useForm({
    initialValues: {
      name: "",
      scope: "inference" as "inference" | "admin",
      expiry: "never",
      models: [] as string[],
      requests_per_minute: "" as number | string,
      budget_usd: "" as number | string,
    },
    validate: { name: (value) => (value.trim() ? null : "Give it a name that says who uses it") },
  });
  const submit = form.onSubmit((values) => {
    if (create.isPending) return;
    const input: ApiKeyInput = {
      name: values.name.trim(),
      scope: values.scope,
      ...(values.expiry !== "never" && { expires_at: inDays(Number(values.expiry)) }),
      ...(values.models.length > 0 && { models: values.models }),
      ...(values.requests_per_minute !== "" && { requests_per_minute: Number(values.requests_per_minute) }),
      ...(values.budget_usd !== "" && { budget_usd: Number(values.budget_usd) }),
    };
    create.mutate(input, {
      onSuccess: (key) => {
        onClose();
        onCreated(key);
      },
      onError: (error) => {
        const { param, message } = asApiError(error);
        if (param === "expires_at") form.setFieldError("expiry", message);
        else if (param && param in values) form.setFieldError(param, message);
      },
    });
  });
  const failure = create.isError ? asApiError(create.error) : null;
  const shownInField = Boolean(failure?.param && Object.keys(form.errors).length > 0);
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <TextInput
          label="Name"
          placeholder="e.g. Production web site"
          data-autofocus
          autoComplete="off"
          {...form.getInputProps("name")}
        />
        {isAdmin && (
          <Select
            label="Scope"
            allowDeselect={false}
            data={[
              { value: "inference", label: "Models only" },
              { value: "admin", label: "Models and the control API, with your role" },
            ]}
            {...form.getInputProps("scope")}
          />
        )}
        <Select label="Expires" allowDeselect={false} data={EXPIRIES} {...form.getInputProps("expiry")} />
        <TagsInput
          label="Models"
          description="Leave empty to allow every model."
          placeholder={form.values.models.length ? undefined : "All models"}
          data={models.data ?? []}
          limit={40}
          {...form.getInputProps("models")}
        />
        <Group grow align="flex-start">
          <NumberInput
            label="Requests per minute"
            placeholder="No limit"
            min={1}
            allowDecimal={false}
            {...form.getInputProps("requests_per_minute")}
          />
          <NumberInput
            label="Budget"
            prefix="$"
            placeholder="No limit"
            min={0}
            {...form.getInputProps("budget_usd")}
          />
        </Group>
        {failure && !shownInField && <ProblemAlert error={failure} title="The key was not created" />}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={create.isPending}>
            Create Key
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

/** A new key: a name is enough; limits are optional. */
import { Accordion, Button, Group, Modal, MultiSelect, NumberInput, Select, Stack, TagsInput, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { ApiKeyInput, ByokPolicy, NewApiKey, PowerLevel, Team } from "@/api/types";
import { modelNamesQuery } from "@/features/models/queries";
import { POLICIES } from "@/features/provider_keys/policies";
import { providersQuery } from "@/features/providers/queries";
import { useMay } from "@/features/session/queries";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useCreateApiKey } from "./queries";

interface CreateApiKeyDialogProps {
  opened: boolean;
  onClose: () => void;
  onCreated: (key: NewApiKey) => void;
  /** For a service key: the teams it may belong to. */
  teams?: Team[];
}

export function CreateApiKeyDialog({ opened, onClose, onCreated, teams }: CreateApiKeyDialogProps) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={teams ? "Create Service Key" : "Create API Key"}
      size={480}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <CreateApiKeyForm onClose={onClose} onCreated={onCreated} teams={teams} />
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
const FURTHER = new Set([
  "requests_per_minute",
  "tokens_per_minute",
  "concurrent_requests",
  "power_level",
  "byok_policy",
  "providers",
  "ip_ranges",
  "tags",
]);
const DAY_MS = 86_400_000;

const numberOrNull = (value: number | string): number | null => (value === "" ? null : Number(value));

const inDays = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();

function CreateApiKeyForm({ onClose, onCreated, teams }: Omit<CreateApiKeyDialogProps, "opened">) {
  const create = useCreateApiKey();
  const isAdmin = useMay("manage users");
  const readsModels = useMay("read gateway");
  const models = useQuery({ ...modelNamesQuery, enabled: readsModels });
  const providers = useQuery({ ...providersQuery, enabled: readsModels });
  const [more, setMore] = useState<string | null>(null);
  const form = useForm({
    initialValues: {
      name: "",
      team_id: teams?.length === 1 ? (teams[0]?.id ?? null) : (null as string | null),
      scope: "inference" as "inference" | "admin",
      expiry: "90",
      models: [] as string[],
      providers: [] as string[],
      power_level: "" as "" | PowerLevel,
      byok_policy: "" as "" | ByokPolicy,
      requests_per_minute: "" as number | string,
      tokens_per_minute: "" as number | string,
      concurrent_requests: "" as number | string,
      budget_usd: "" as number | string,
      ip_ranges: [] as string[],
      tags: [] as string[],
    },
    validate: {
      name: (value) => (value.trim() ? null : "Give it a name that says who uses it"),
      team_id: (value) => (teams && !value ? "Say whose key this is" : null),
    },
  });
  const submit = form.onSubmit((values) => {
    if (create.isPending) return;
    const input: ApiKeyInput = {
      name: values.name.trim(),
      scope: values.scope,
      expires_at: values.expiry === "never" ? null : inDays(Number(values.expiry)),
      ...(values.models.length > 0 && { models: values.models }),
      ...(values.providers.length > 0 && { providers: values.providers }),
      ...(values.power_level !== "" && { power_level: values.power_level }),
      ...(values.byok_policy !== "" && { byok_policy: values.byok_policy }),
      ...(values.ip_ranges.length > 0 && { ip_ranges: values.ip_ranges }),
      ...(values.tags.length > 0 && { tags: values.tags }),
      requests_per_minute: numberOrNull(values.requests_per_minute),
      tokens_per_minute: numberOrNull(values.tokens_per_minute),
      concurrent_requests: numberOrNull(values.concurrent_requests),
      budget_usd: numberOrNull(values.budget_usd),
    };
    create.mutate({ teamId: values.team_id, input }, {
      onSuccess: (key) => {
        onClose();
        onCreated(key);
      },
      onError: (error) => {
        const { param, message } = asApiError(error);
        if (param === "expires_at") form.setFieldError("expiry", message);
        else if (param && param in values) {
          form.setFieldError(param, message);
          if (FURTHER.has(param)) setMore("more");
        }
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
        {teams && (
          <Select
            label="Team"
            searchable
            data={teams.map(({ id, name }) => ({ value: id, label: name }))}
            {...form.getInputProps("team_id")}
          />
        )}
        {isAdmin && !teams && (
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
        <NumberInput
          label="Budget per month"
          description="Requests that would pass it are refused."
          prefix="$"
          placeholder="No limit"
          min={0}
          {...form.getInputProps("budget_usd")}
        />
        <Accordion
          variant="contained"
          value={more}
          onChange={setMore}
        >
          <Accordion.Item value="more">
            <Accordion.Control>More limits</Accordion.Control>
            <Accordion.Panel>
              <Stack gap="md">
                <Group grow align="flex-start">
                  <NumberInput
                    label="Requests per minute"
                    placeholder="No limit"
                    min={1}
                    allowDecimal={false}
                    {...form.getInputProps("requests_per_minute")}
                  />
                  <NumberInput
                    label="Tokens per minute"
                    placeholder="No limit"
                    min={1}
                    allowDecimal={false}
                    {...form.getInputProps("tokens_per_minute")}
                  />
                </Group>
                <NumberInput
                  label="Requests at once"
                  placeholder="No limit"
                  min={1}
                  allowDecimal={false}
                  {...form.getInputProps("concurrent_requests")}
                />
                <Select
                  label="Power level"
                  allowDeselect={false}
                  data={[
                    { value: "", label: teams ? "As the routing strategy says" : "The owner's own" },
                    { value: "eco", label: "Eco" },
                    { value: "balanced", label: "Balanced" },
                    { value: "precision", label: "Precision" },
                  ]}
                  {...form.getInputProps("power_level")}
                />
                <Select
                  label="Own keys"
                  description="Whose provider keys may serve; can only be tighter than what holds already."
                  allowDeselect={false}
                  data={[
                    { value: "", label: teams ? "As for the team" : "As for the owner" },
                    ...POLICIES.map(({ value, label }) => ({ value, label })),
                  ]}
                  {...form.getInputProps("byok_policy")}
                />
                {readsModels && (
                  <MultiSelect
                    label="Providers"
                    placeholder={form.values.providers.length ? undefined : "All providers"}
                    data={(providers.data ?? []).map((one) => ({ value: one.id, label: one.name }))}
                    {...form.getInputProps("providers")}
                  />
                )}
                <TagsInput
                  label="Addresses"
                  description="Addresses or networks that its requests must come from, such as 203.0.113.0/24."
                  placeholder={form.values.ip_ranges.length ? undefined : "From anywhere"}
                  {...form.getInputProps("ip_ranges")}
                />
                <TagsInput label="Tags" {...form.getInputProps("tags")} />
              </Stack>
            </Accordion.Panel>
          </Accordion.Item>
        </Accordion>
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

/** A new key, for which a name is enough, or the limits of one that is there. */
import { Accordion, Button, Group, Modal, MultiSelect, NumberInput, Select, Stack, TagsInput, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { ApiKey, ApiKeyChange, ByokPolicy, NewApiKey, OwnedApiKey, PowerLevel, Team } from "@/api/types";
import { modelNamesQuery } from "@/features/models/queries";
import { POLICIES } from "@/features/provider_keys/policies";
import { providersQuery } from "@/features/providers/queries";
import { useMay } from "@/features/session/queries";
import { dateOnly } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { ownApiKeysQuery, useCreateApiKey, useUpdateApiKey } from "./queries";

interface ApiKeyDialogProps {
  editing: ApiKey | OwnedApiKey | "new" | null;
  onClose: () => void;
  onCreated?: (key: NewApiKey) => void;
  /** For a new service key: the teams it may belong to. */
  teams?: Team[];
}

export function ApiKeyDialog({ editing, onClose, onCreated, teams }: ApiKeyDialogProps) {
  const apiKey = editing === "new" ? null : editing;
  const title = teams ? "Create Service Key" : "Create API Key";
  return (
    <Modal
      opened={editing !== null}
      onClose={onClose}
      title={apiKey ? `Edit ${apiKey.name}` : title}
      size={480}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {editing !== null && (
        <ApiKeyForm key={apiKey?.id ?? "new"} apiKey={apiKey} onClose={onClose} onCreated={onCreated} teams={teams} />
      )}
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
const KEPT = "kept";

const numberOrNull = (value: number | string): number | null => (value === "" ? null : Number(value));

const orNull = <T,>(list: T[]): T[] | null => (list.length > 0 ? list : null);

const inDays = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();

/** Only what differs, so that nothing is undone that somebody else changed meanwhile. */
function changes(apiKey: ApiKey, wanted: ApiKeyChange): ApiKeyChange {
  const before = apiKey as unknown as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(wanted).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])),
  );
}

interface ApiKeyFormProps extends Omit<ApiKeyDialogProps, "editing"> {
  apiKey: ApiKey | OwnedApiKey | null;
}

function ApiKeyForm({ apiKey, onClose, onCreated, teams }: ApiKeyFormProps) {
  const owned = apiKey && "byok_policies" in apiKey ? apiKey : null;
  const ofTeam = teams !== undefined || Boolean(owned?.team_id);
  const create = useCreateApiKey();
  const update = useUpdateApiKey(apiKey?.id ?? "", owned !== null);
  const save = apiKey ? update : create;
  const isAdmin = useMay("manage users");
  const readsModels = useMay("read gateway");
  const models = useQuery({ ...modelNamesQuery, enabled: readsModels });
  const providers = useQuery({ ...providersQuery, enabled: readsModels });
  const own = useQuery({ ...ownApiKeysQuery, enabled: !ofTeam && !owned });
  const [more, setMore] = useState<string | null>(null);
  const form = useForm({
    initialValues: {
      name: apiKey?.name ?? "",
      team_id: teams?.length === 1 ? (teams[0]?.id ?? null) : (null as string | null),
      scope: "inference" as "inference" | "admin",
      expiry: apiKey ? KEPT : "90",
      models: apiKey?.models ?? ([] as string[]),
      providers: apiKey?.providers ?? ([] as string[]),
      power_level: apiKey?.power_level ?? ("" as "" | PowerLevel),
      byok_policy: apiKey?.byok_policy ?? ("" as "" | ByokPolicy),
      requests_per_minute: apiKey?.requests_per_minute ?? ("" as number | string),
      tokens_per_minute: apiKey?.tokens_per_minute ?? ("" as number | string),
      concurrent_requests: apiKey?.concurrent_requests ?? ("" as number | string),
      budget_usd: apiKey?.budget_usd ?? ("" as number | string),
      ip_ranges: apiKey?.ip_ranges ?? ([] as string[]),
      tags: apiKey?.tags ?? ([] as string[]),
    },
    validate: {
      name: (value) => (value.trim() ? null : "Give it a name that says who uses it"),
      team_id: (value) => (teams && !apiKey && !value ? "Say whose key this is" : null),
    },
  });
  const ofChosenTeam = teams?.find(({ id }) => id === form.values.team_id);
  const allowed = (owned ?? ofChosenTeam ?? own.data)?.byok_policies ?? [];
  const onError = (error: unknown): void => {
    const { param, message } = asApiError(error);
    if (param === "expires_at") form.setFieldError("expiry", message);
    else if (param && param in form.values) {
      form.setFieldError(param, message);
      if (FURTHER.has(param)) setMore("more");
    }
  };
  const submit = form.onSubmit((values) => {
    if (save.isPending) return;
    const { expiry } = values;
    const wanted = {
      name: values.name.trim(),
      models: orNull(values.models),
      providers: orNull(values.providers),
      power_level: values.power_level || null,
      byok_policy: values.byok_policy || null,
      ip_ranges: orNull(values.ip_ranges),
      tags: values.tags,
      requests_per_minute: numberOrNull(values.requests_per_minute),
      tokens_per_minute: numberOrNull(values.tokens_per_minute),
      concurrent_requests: numberOrNull(values.concurrent_requests),
      budget_usd: numberOrNull(values.budget_usd),
      ...(expiry !== KEPT && { expires_at: expiry === "never" ? null : inDays(Number(expiry)) }),
    };
    if (apiKey) {
      const change = changes(apiKey, wanted);
      if (Object.keys(change).length === 0) onClose();
      else update.mutate(change, { onSuccess: onClose, onError });
      return;
    }
    create.mutate({ teamId: values.team_id, input: { ...wanted, scope: values.scope } }, {
      onSuccess: (key) => {
        onClose();
        onCreated?.(key);
      },
      onError,
    });
  });
  const failure = save.isError ? asApiError(save.error) : null;
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
        {teams && !apiKey && (
          <Select
            label="Team"
            searchable
            data={teams.map(({ id, name }) => ({ value: id, label: name }))}
            {...form.getInputProps("team_id")}
          />
        )}
        {isAdmin && !teams && !apiKey && (
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
        <Select
          label="Expires"
          allowDeselect={false}
          data={apiKey ? [{ value: KEPT, label: apiKey.expires_at ? `On ${dateOnly(apiKey.expires_at)}, as now` : "Never, as now" }, ...EXPIRIES] : EXPIRIES}
          {...form.getInputProps("expiry")} />
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
                    { value: "", label: ofTeam ? "As the routing strategy says" : "The owner's own" },
                    { value: "eco", label: "Eco" },
                    { value: "balanced", label: "Balanced" },
                    { value: "precision", label: "Precision" },
                  ]}
                  {...form.getInputProps("power_level")}
                />
                <Select
                  label="Own keys"
                  description="Whose provider keys may serve: as already, or tighter."
                  allowDeselect={false}
                  data={[
                    { value: "", label: ofTeam ? "As for the team" : "As for the owner" },
                    ...POLICIES.filter(({ value }) => allowed.includes(value) || value === apiKey?.byok_policy).map(
                      ({ value, label }) => ({ value, label }),
                    ),
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
        {failure && !shownInField && <ProblemAlert error={failure} title={apiKey ? "The key was not changed" : "The key was not created"} />}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={save.isPending}>
            {apiKey ? "Save Changes" : "Create Key"}
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

/** Every fact that can be set by hand, each with where its value comes from; an emptied field follows its source. */
import { Anchor, Button, Group, Modal, MultiSelect, NumberInput, SimpleGrid, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { asApiError } from "@/api/request";
import type { Model, ModelChange, TimeLimits } from "@/api/types";
import { providersQuery } from "@/features/providers/queries";
import { TimeLimitFields } from "@/features/providers/TimeLimitFields";
import {
  TIME_LIMITS,
  changedTimeLimits,
  timeLimitProblems,
  timeLimitValues,
  type TimeLimitValues,
} from "@/features/providers/timeLimits";
import { useSystem } from "@/features/session/queries";
import { countExact, money, score } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useChangeModel } from "./queries";
import { CAPABILITY_OPTIONS, capabilityLabel, sourceLabel } from "./words";

interface EditModelDialogProps {
  model: Model | null;
  onClose: () => void;
}

export function EditModelDialog({ model, onClose }: EditModelDialogProps) {
  return (
    <Modal
      opened={model !== null}
      onClose={onClose}
      title={model && `${model.display_name} at ${model.provider_name}`}
      size={560}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {model && <EditModelForm key={model.id} model={model} onClose={onClose} />}
    </Modal>
  );
}

const PRICES = [
  "input_mtok",
  "output_mtok",
  "cache_read_mtok",
  "cache_write_mtok",
  "reasoning_mtok",
  "input_audio_mtok",
  "output_audio_mtok",
  "input_audio_minute_usd",
  "request_usd",
  "web_search_usd",
] as const;
const FIELDS = [...PRICES, "score", "context_window", "max_output_tokens"] as const;
type Field = (typeof FIELDS)[number];
/** A number field is "" while it is empty; `capabilities` is null while it follows its source. */
type Values = Record<Field, number | string> & { capabilities: string[] | null; time_limits: TimeLimitValues };

const LABELS: Readonly<Record<Field, string>> = {
  input_mtok: "Input $ per 1M",
  output_mtok: "Output $ per 1M",
  cache_read_mtok: "Cached input $ per 1M",
  cache_write_mtok: "Cache write $ per 1M",
  reasoning_mtok: "Reasoning $ per 1M",
  input_audio_mtok: "Sound in, $ per 1M",
  output_audio_mtok: "Sound out, $ per 1M",
  input_audio_minute_usd: "$ per minute of sound",
  request_usd: "$ per request",
  web_search_usd: "$ per web search",
  score: "Score, 0 to 100",
  context_window: "Context window",
  max_output_tokens: "Longest answer",
};
/** What holds where no source knows a value. */
const OTHERWISE: Partial<Record<Field, string>> = {
  cache_read_mtok: "billed as input",
  cache_write_mtok: "billed as input",
  reasoning_mtok: "billed as output",
  input_audio_mtok: "unknown, counted as text",
  output_audio_mtok: "unknown, counted as text",
  input_audio_minute_usd: "unknown",
  request_usd: "none",
  web_search_usd: "unknown",
  score: "no benchmark",
};
const isPrice = (field: Field): boolean => (PRICES as readonly string[]).includes(field);

function current(model: Model, field: Field): number | null {
  if (!isPrice(field)) return model[field as "score" | "context_window" | "max_output_tokens"];
  const value = model.price?.[field as (typeof PRICES)[number]] ?? null;
  return field === "request_usd" && value === 0 && !model.overridden.includes(field) ? null : value;
}

/** The value of the other sources, under an administrator's word. */
function below(model: Model, field: Field): number | null {
  return model.overridden.includes(field) ? ((model.without_override[field] as number | null) ?? null) : current(model, field);
}

/** What stands in the fields: an administrator's own word; what the sources say is the placeholder. */
function overrides(model: Model): Values {
  const own = (field: Field) => (model.overridden.includes(field) ? (current(model, field) ?? "") : "");
  return {
    ...(Object.fromEntries(FIELDS.map((field) => [field, own(field)])) as Record<Field, number | string>),
    capabilities: model.overridden.includes("capabilities") ? model.capabilities : null,
    time_limits: timeLimitValues(model.time_limits),
  };
}

function changesOf(values: Values, before: Values): ModelChange {
  const body: ModelChange = {};
  for (const field of FIELDS) {
    if (values[field] !== before[field]) body[field] = values[field] === "" ? null : Number(values[field]);
  }
  if (JSON.stringify(values.capabilities) !== JSON.stringify(before.capabilities)) body.capabilities = values.capabilities;
  const limits = changedTimeLimits(values.time_limits, before.time_limits);
  if (limits) body.time_limits = limits;
  return body;
}

function shown(field: Field, value: number | null): string {
  if (value === null) return OTHERWISE[field] ?? "unknown";
  if (isPrice(field)) return money(value);
  return field === "score" ? score(value) : countExact(value);
}

function EditModelForm({ model, onClose }: { model: Model; onClose: () => void }) {
  const change = useChangeModel();
  const system = useSystem();
  const provider = useQuery(providersQuery).data?.find((one) => one.id === model.provider_id);
  const otherwise: TimeLimits = Object.fromEntries(
    TIME_LIMITS.map((name) => [name, provider?.time_limits[name] ?? system?.time_limits[name] ?? null]),
  );
  const before = overrides(model);
  const form = useForm<Values>({
    initialValues: before,
    validate: (values) => ({
      ...(below(model, "output_mtok") === null && (values.output_mtok === "") !== (values.input_mtok === "")
        ? { output_mtok: "Both prices, or neither" }
        : {}),
      ...(values.score !== "" && Number(values.score) > 100 ? { score: "From 0 to 100" } : {}),
      ...timeLimitProblems(values.time_limits),
    }),
  });
  const submit = form.onSubmit((values) => {
    if (change.isPending) return;
    const body = changesOf(values, before);
    if (Object.keys(body).length === 0) {
      onClose();
      return;
    }
    change.mutate(
      { id: model.id, change: body },
      {
        onSuccess: onClose,
        onError: (error) => {
          const { param, message } = asApiError(error);
          if (param && (param.split(".")[0] ?? "") in values) form.setFieldError(param, message);
        },
      },
    );
  });
  const failure = change.isError ? asApiError(change.error) : null;
  const field = (name: Field) => (
    <NumberInput
      key={name}
      label={LABELS[name]}
      min={0}
      allowNegative={false}
      allowDecimal={isPrice(name) || name === "score"}
      thousandSeparator={!isPrice(name) && name !== "score"}
      prefix={isPrice(name) ? "$" : undefined}
      placeholder={shown(name, below(model, name))}
      inputWrapperOrder={["label", "input", "description", "error"]}
      description={
        <Origin
          name={LABELS[name]}
          set={form.values[name] !== ""}
          source={sourceOf(model, name)}
          value={shown(name, below(model, name))}
          onBack={() => form.setFieldValue(name, "")}
        />
      }
      {...form.getInputProps(name)}
    />
  );
  const listed = (model.overridden.includes("capabilities") ? model.without_override.capabilities : model.capabilities) as string[];
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          What you type wins over every other source, for calls from now on; an empty field follows its source.
          {model.price?.tiered && " Prices typed here hold for requests of any size, in place of the tiers."}
        </Text>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md" verticalSpacing="sm">
          {FIELDS.map(field)}
        </SimpleGrid>
        <MultiSelect
          label="Capabilities"
          placeholder={(form.values.capabilities ?? listed).length === 0 ? "unknown" : undefined}
          searchable
          data={[
            ...CAPABILITY_OPTIONS.filter(({ value }) => value !== "chat"),
            ...listed
              .filter((one) => !CAPABILITY_OPTIONS.some(({ value }) => value === one))
              .map((value) => ({ value, label: capabilityLabel(value) })),
          ]}
          inputWrapperOrder={["label", "input", "description", "error"]}
          description={
            <Origin
              name="Capabilities"
              set={form.values.capabilities !== null}
              source={sourceOf(model, "capabilities")}
              value={listed.map(capabilityLabel).join(", ") || "unknown"}
              onBack={() => form.setFieldValue("capabilities", null)}
            />
          }
          {...form.getInputProps("capabilities")}
          value={form.values.capabilities ?? listed}
        />
        <TimeLimitFields inputProps={(path) => form.getInputProps(path)} otherwise={otherwise} />
        {failure && Object.keys(form.errors).length === 0 && (
          <ProblemAlert error={failure} title="Nothing was saved" />
        )}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={change.isPending}>
            Save Changes
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

/** Undefined while an administrator's word hides it; what nobody knows has no source either, and says so. */
function sourceOf(model: Model, field: Field | "capabilities"): string | undefined {
  return model.overridden.includes(field) ? undefined : (model.sources[field] ?? "none of the sources knows it");
}

interface OriginProps {
  name: string;
  /** Whether an administrator's word stands in the field. */
  set: boolean;
  source: string | undefined;
  /** What the source says, in words. */
  value: string;
  onBack: () => void;
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function Origin({ name, set, source, value, onBack }: OriginProps): ReactNode {
  if (!set) return source === undefined ? `Its sources say: ${value}` : sentence(sourceLabel(source));
  return (
    <>
      Set by hand.{" "}
      <Anchor component="button" type="button" size="xs" aria-label={`${name}: back to the source's ${value}`} onClick={onBack}>
        Back to {value}
      </Anchor>
    </>
  );
}

/** The fields of a provider, the same in Add and Configure. */
import {
  Alert,
  Anchor,
  Badge,
  Box,
  Collapse,
  Grid,
  Group,
  Input,
  NumberInput,
  PasswordInput,
  Select,
  Slider,
  Stack,
  Switch,
  Text,
  TextInput,
  UnstyledButton,
} from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import { IconChevronRight, IconExternalLink } from "@tabler/icons-react";
import { useId, useRef, useState } from "react";

import type { ProviderType } from "@/api/types";
import { useSystem } from "@/features/session/queries";
import { money, plural } from "@/format/format";
import { Monogram } from "@/ui/Monogram";

import {
  HIGHEST_PRIORITY,
  LOWEST_PRIORITY,
  matchesType,
  trimKey,
  valuesForType,
  type ProviderValues,
} from "./form";
import { TimeLimitFields } from "./TimeLimitFields";

interface ProviderFieldsProps {
  form: UseFormReturnType<ProviderValues>;
  types: ProviderType[];
  /** Set when a saved provider is edited: its type is fixed and its key is kept unless a new one is typed. */
  saved?: { credentialPreview: string | null };
}

export function ProviderFields({ form, types, saved }: ProviderFieldsProps) {
  const type = types.find((one) => one.type === form.values.type);
  return (
    <Stack gap="md">
      {saved ? null : <TypeSelect form={form} types={types} type={type} />}
      {type?.missing && (
        <Alert color="yellow" role="note" py="xs" px="sm" title={`${type.missing}.`}>
          {type.how_to_get}
        </Alert>
      )}
      <TextInput
        label="Name"
        placeholder={type?.name ?? "Named after its type"}
        description={saved ? undefined : "Leave blank to name it after its type."}
        autoComplete="off"
        {...form.getInputProps("name")}
      />
      <KeyField form={form} type={type} saved={saved} />
      <OptionFields form={form} type={type} />
      <PriorityField form={form} />
      <Switch
        label="Auto-fallback"
        description="When this provider fails before its first byte, the next one is asked."
        {...form.getInputProps("auto_fallback", { type: "checkbox" })}
      />
      {saved && (
        <Switch
          label="Enabled"
          description="A disabled provider keeps its settings and gets no traffic."
          {...form.getInputProps("enabled", { type: "checkbox" })}
        />
      )}
      <Advanced form={form} type={type} />
    </Stack>
  );
}

interface FieldProps {
  form: UseFormReturnType<ProviderValues>;
  type: ProviderType | undefined;
}

function TypeSelect({ form, types, type }: FieldProps & { types: ProviderType[] }) {
  const range = type?.cost_range;
  const typed = useRef<Record<string, Record<string, string>>>({});
  return (
    <Select
      label="Provider Type"
      placeholder="Choose or search"
      data-autofocus
      autoFocus
      openOnFocus={false}
      searchable
      allowDeselect={false}
      maxDropdownHeight={320}
      nothingFoundMessage="No such type; Custom speaks to any OpenAI-compatible server"
      comboboxProps={{ shadow: "md", keepMounted: false }}
      data={types.map((one) => ({ value: one.type, label: one.name }))}
      filter={({ options, search }) => {
        const found = new Set(types.filter((one) => matchesType(one, search)).map((one) => one.type));
        return options.filter((option) => "value" in option && found.has(option.value));
      }}
      renderOption={({ option }) => {
        const one = types.find((candidate) => candidate.type === option.value);
        return (
          <Group gap="sm" wrap="nowrap" w="100%">
            <Monogram name={option.label} color={one?.color ?? "#64748B"} size={26} />
            <Text size="sm">{option.label}</Text>
            {/* What it is good for is read out once the type is chosen; here it would blur the option's name. */}
            <Group gap={6} ml="auto" wrap="nowrap" justify="flex-end" aria-hidden>
              <Text size="xs" c="dimmed" ta="right">
                {one?.missing ? "not installed" : one?.recommended_for ? `for ${one.recommended_for}` : one?.description}
              </Text>
              {one && isRecommended(one, types) && (
                <Badge size="xs" color="green" variant="light" style={{ flexShrink: 0 }}>
                  Recommended
                </Badge>
              )}
            </Group>
          </Group>
        );
      }}
      description={
        type &&
        [
          type.recommended_for
            ? `${type.name}: ${isRecommended(type, types) ? "recommended " : ""}for ${type.recommended_for}.`
            : `${type.description}.`,
          range && `${money(range.min_usd)}–${money(range.max_usd)} per 1M tokens, depending on the model.`,
          type.models_count > 0 && `${plural(type.models_count, "model")} with known facts.`,
        ]
          .filter(Boolean)
          .join(" ")
      }
      inputWrapperOrder={["label", "input", "description", "error"]}
      {...form.getInputProps("type")}
      onChange={(chosen) => {
        // Who looks at another type and comes back finds what was typed for this one.
        if (type) typed.current[type.type] = form.values.options;
        const { options, ...defaults } = valuesForType(types.find((one) => one.type === chosen));
        form.setValues({ type: chosen, ...defaults, options: { ...options, ...typed.current[chosen ?? ""] } });
        form.clearErrors();
      }}
    />
  );
}

/** The list begins with the one type that suits who has no wish of their own. */
const isRecommended = (type: ProviderType, types: ProviderType[]): boolean => type.type === types[0]?.type;

function KeyField({ form, type, saved }: FieldProps & Pick<ProviderFieldsProps, "saved">) {
  const key = trimKey(form.values.api_key);
  const unusual = type?.key_prefix && key && !key.startsWith(type.key_prefix);
  const stored = saved?.credentialPreview;
  return (
    <PasswordInput
      label="API Key"
      autoComplete="off"
      data-1p-ignore
      placeholder={stored ? `Keep ${stored}` : type?.key_prefix ? `${type.key_prefix}…` : "Paste the key"}
      inputWrapperOrder={["label", "input", "description", "error"]}
      visibilityToggleButtonProps={{ "aria-label": "Reveal or hide what is typed", tabIndex: 0 }}
      description={
        <>
          {stored && "Leave blank to keep the stored one. "}
          {type?.key_help && `${type.key_help} `}
          {type && !type.requires_key && !stored && "Only when the server asks for one. "}
          {type?.get_key_url && (
            <Anchor href={type.get_key_url} target="_blank" rel="noreferrer" size="xs">
              Get a key from {type.name}{" "}
              <IconExternalLink size={12} aria-label="(opens in a new tab)" style={{ verticalAlign: "-1px" }} />
            </Anchor>
          )}
          {unusual && (
            <Text component="span" size="xs" display="block">
              Keys of {type.name} usually start with {type.key_prefix}
            </Text>
          )}
        </>
      }
      {...form.getInputProps("api_key")}
      onBlur={() => form.setFieldValue("api_key", trimKey(form.values.api_key))}
    />
  );
}

/** What only some types ask for: a region, a project, a resource. */
function OptionFields({ form, type }: FieldProps) {
  return type?.option_fields.map((field) => {
    const path = `options.${field.name}`;
    return (
      <TextInput
        key={path}
        label={field.label}
        description={field.help}
        placeholder={field.placeholder}
        required={field.required && !type.default_base_url?.includes(`{${field.name}}`)}
        withAsterisk={false}
        autoComplete="off"
        inputWrapperOrder={["label", "input", "description", "error"]}
        {...form.getInputProps(path)}
        value={form.values.options[field.name] ?? ""}
      />
    );
  });
}

function PriorityField({ form }: Pick<FieldProps, "form">) {
  const value = Number(form.values.priority) || LOWEST_PRIORITY;
  return (
    <Box>
      <Grid align="flex-end" gap="md">
        <Grid.Col span={{ base: 5, xs: 4 }}>
          {/* allowMouseWheel stays off: scrolling the dialog must not change it. */}
          <NumberInput
            label="Priority"
            min={LOWEST_PRIORITY}
            max={HIGHEST_PRIORITY}
            clampBehavior="none"
            allowDecimal={false}
            {...form.getInputProps("priority")}
            error={Boolean(form.errors.priority)}
          />
        </Grid.Col>
        <Grid.Col span={{ base: 7, xs: 8 }}>
          <Slider
            mb={10}
            min={LOWEST_PRIORITY}
            max={HIGHEST_PRIORITY}
            label={null}
            thumbLabel="Rank, from 1 (last) to 100 (first)"
            value={value}
            onChange={(next) => form.setFieldValue("priority", next)}
          />
        </Grid.Col>
      </Grid>
      {form.errors.priority && <Input.Error mt={4}>{form.errors.priority}</Input.Error>}
      <Text size="xs" c="dimmed" mt={4}>
        Among providers that serve the same model the highest is asked first; equal ones share the load.
      </Text>
    </Box>
  );
}

function Advanced({ form, type }: FieldProps) {
  const id = useId();
  const [toggled, setToggled] = useState<boolean | null>(null);
  const system = useSystem();
  const hasError = Object.keys(form.errors).some((path) => /^(base_url|allow_private_network|time_limits)/.test(path));
  const opened = hasError || (toggled ?? (type?.requires_base_url || type?.local) ?? false);
  return (
    <Box>
      <UnstyledButton
        aria-expanded={opened}
        aria-controls={id}
        onClick={() => setToggled(!opened)}
        style={{ borderRadius: 6 }}
      >
        <Group gap={6}>
          <IconChevronRight size={16} style={{ transform: opened ? "rotate(90deg)" : undefined }} />
          <Text size="sm" fw={500}>
            Advanced
          </Text>
        </Group>
      </UnstyledButton>
      <Collapse expanded={opened} id={id} transitionDuration={0}>
        <Stack gap="md" pt="sm" pl={22}>
          {type?.takes_base_url !== false && (
            <TextInput
              label="Base URL"
              type="url"
              inputMode="url"
              autoComplete="off"
              placeholder={type?.default_base_url ?? "http://localhost:11434/v1"}
              description={
                type?.requires_base_url
                  ? "Where the server answers, up to and with /v1."
                  : type?.local
                    ? `Leave blank for ${type.default_base_url} on the gateway's own machine.`
                    : "Leave blank for the provider's own address."
              }
              {...form.getInputProps("base_url")}
            />
          )}
          <Switch
            label="Allow private network address"
            description="For servers on this machine or your own network. Never lets end users' addresses in."
            {...form.getInputProps("allow_private_network", { type: "checkbox" })}
          />
          <TimeLimitFields inputProps={(path) => form.getInputProps(path)} otherwise={system?.time_limits} />
        </Stack>
      </Collapse>
    </Box>
  );
}

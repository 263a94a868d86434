/** The rules: what rings, with its thresholds; admins switch and tune them, everybody else reads them. */
import { Group, NumberInput, Stack, Switch, Text } from "@mantine/core";
import { useForm } from "@mantine/form";

import type { AlertRules } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { countExact } from "@/format/format";
import { Panel } from "@/ui/Panel";
import { PathLink } from "@/ui/PathLink";
import { SaveButton, useSaving } from "@/ui/SaveForm";

import { useSaveRules } from "./queries";
import { RULES } from "./words";

type Values = Record<keyof AlertRules, number | string | boolean>;

export function RulesPanel({ rules }: { rules: AlertRules }) {
  const writes = useMay("manage settings");
  const form = useForm<Values>({
    initialValues: rules as Values,
    validate: Object.fromEntries(
      RULES.flatMap((rule) =>
        rule.fields.map(({ name, min, max }) => [
          name,
          (value: unknown) =>
            value === "" || Number(value) < min || Number(value) > max ? `From ${min} to ${countExact(max)}` : null,
        ]),
      ),
    ),
  });
  const saving = useSaving(form, useSaveRules());
  const submit = form.onSubmit((values) => {
    const numbers = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, typeof value === "boolean" ? value : Number(value)]),
    );
    saving.save(numbers as AlertRules);
  });
  return (
    <Panel
      title="Rules"
      description={
        <>
          What has too little traffic to judge rings nothing. Where mail and webhook go is among the{" "}
          {writes ? <PathLink path="/admin/settings">settings</PathLink> : "settings"}.
        </>
      }
    >
      <form onSubmit={submit} noValidate>
        <Stack gap="lg">
          {RULES.map(({ rule, label, says, fields }) => (
            <Group key={rule} align="flex-start" justify="space-between" gap="md">
              <Stack gap={2} flex="1 1 320px">
                <Switch
                  label={label}
                  disabled={!writes}
                  {...form.getInputProps(rule, { type: "checkbox" })}
                />
                <Text size="xs" c="dimmed" pl={48}>
                  {says}
                </Text>
              </Stack>
              <Group gap="sm" align="flex-start" flex="1 1 320px">
                {fields.map(({ name, label: field, min, max, decimals }) => (
                  <NumberInput
                    key={name}
                    size="xs"
                    w={150}
                    label={field}
                    aria-label={`${label}: ${field}`}
                    min={min}
                    max={max}
                    allowDecimal={decimals}
                    disabled={!writes || !form.values[rule]}
                    {...form.getInputProps(name)}
                  />
                ))}
              </Group>
            </Group>
          ))}
          {writes && <SaveButton saving={saving}>Save Rules</SaveButton>}
        </Stack>
      </form>
    </Panel>
  );
}

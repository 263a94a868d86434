/** Whether prompts and answers are kept, what is taken out of them, and for how long. */
import { Checkbox, Group, NumberInput, SimpleGrid, Stack, Switch, Text } from "@mantine/core";
import { useForm } from "@mantine/form";

import type { Settings } from "@/api/types";
import { FORM_WIDTH, SaveButton, useSaving } from "@/ui/SaveForm";

import { useChangeSettings } from "./queries";

export function BodiesForm({ settings }: { settings: Settings }) {
  const {
    keep = false,
    remove_emails = true,
    remove_phones = true,
    remove_cards = true,
    kilobytes = 64,
    days = 7,
  } = settings.bodies;
  const form = useForm({
    initialValues: {
      keep,
      remove_emails,
      remove_phones,
      remove_cards,
      kilobytes: kilobytes as number | string,
      days: days as number | string,
    },
    validate: {
      kilobytes: (value) => (value === "" ? "Say how much" : null),
      days: (value) => (value === "" ? "Say for how long" : null),
    },
  });
  const saving = useSaving(form, useChangeSettings());
  const submit = form.onSubmit((values) =>
    saving.save({ bodies: { ...values, kilobytes: Number(values.kilobytes), days: Number(values.days) } }),
  );
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Switch
          label="Keep prompts and answers"
          description="Encrypted, of requests from now on. Only admins see them, and each look is in the audit log."
          {...form.getInputProps("keep", { type: "checkbox" })}
        />
        {form.values.keep && (
          <>
            <Stack gap="xs">
              <Text size="sm" fw={500}>
                Keys and other secrets are always taken out. Also take out
              </Text>
              <Group gap="lg">
                <Checkbox label="Email addresses" {...form.getInputProps("remove_emails", { type: "checkbox" })} />
                <Checkbox label="Phone numbers" {...form.getInputProps("remove_phones", { type: "checkbox" })} />
                <Checkbox label="Card numbers" {...form.getInputProps("remove_cards", { type: "checkbox" })} />
              </Group>
            </Stack>
            <SimpleGrid cols={{ base: 1, xs: 2 }} maw={FORM_WIDTH}>
              <NumberInput
                label="Most of each"
                description="Kilobytes, up to 1,024."
                min={1}
                max={1024}
                allowDecimal={false}
                {...form.getInputProps("kilobytes")}
              />
              <NumberInput
                label="Deleted after"
                description="Days, up to 365."
                min={1}
                max={365}
                allowDecimal={false}
                {...form.getInputProps("days")}
              />
            </SimpleGrid>
          </>
        )}
        <SaveButton saving={saving}>Save Storing</SaveButton>
      </Stack>
    </form>
  );
}

/** Whether requests over a limit wait for a place, for how long and how many. */
import { NumberInput, SimpleGrid, Stack, Switch } from "@mantine/core";
import { useForm } from "@mantine/form";

import type { Settings } from "@/api/types";
import { FORM_WIDTH, SaveButton, useSaving } from "@/ui/SaveForm";

import { useChangeSettings } from "./queries";

export function QueueForm({ settings }: { settings: Settings }) {
  const { queue = false, queue_seconds = 30, queue_per_key = 100, queue_in_all = 1000 } = settings.limits;
  const form = useForm({
    initialValues: {
      queue,
      queue_seconds: queue_seconds as number | string,
      queue_per_key: queue_per_key as number | string,
      queue_in_all: queue_in_all as number | string,
    },
    validate: {
      queue_seconds: (value) => (value === "" ? "Say for how long" : null),
      queue_per_key: (value) => (value === "" ? "Say how many" : null),
      queue_in_all: (value) => (value === "" ? "Say how many" : null),
    },
  });
  const saving = useSaving(form, useChangeSettings());
  const submit = form.onSubmit((values) =>
    saving.save({
      limits: {
        queue: values.queue,
        queue_seconds: Number(values.queue_seconds),
        queue_per_key: Number(values.queue_per_key),
        queue_in_all: Number(values.queue_in_all),
      },
    }),
  );
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Switch
          label="Let requests wait for a place"
          description="Instead of a 429 at once. API keys take turns, and a request waits no longer than its own deadline."
          {...form.getInputProps("queue", { type: "checkbox" })}
        />
        {form.values.queue && (
          <SimpleGrid cols={{ base: 1, xs: 3 }} maw={FORM_WIDTH}>
            <NumberInput
              label="Longest wait"
              description="Seconds, up to 600."
              min={1}
              max={600}
              allowDecimal={false}
              {...form.getInputProps("queue_seconds")}
            />
            <NumberInput
              label="Waiting per key"
              description="More are refused."
              min={1}
              max={10_000}
              allowDecimal={false}
              {...form.getInputProps("queue_per_key")}
            />
            <NumberInput
              label="Waiting in all"
              description="In each process."
              min={1}
              max={100_000}
              allowDecimal={false}
              {...form.getInputProps("queue_in_all")}
            />
          </SimpleGrid>
        )}
        <SaveButton saving={saving}>Save Limits</SaveButton>
      </Stack>
    </form>
  );
}

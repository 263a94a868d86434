/** For how many days each level of detail is kept. Less than before deletes for good, so it asks first. */
import { Button, Group, Modal, NumberInput, SimpleGrid, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";

import type { Settings } from "@/api/types";
import { BusyButton } from "@/ui/BusyButton";
import { FORM_WIDTH, SaveButton, useSaving } from "@/ui/SaveForm";

import { useChangeSettings } from "./queries";

const LEVELS = [
  { name: "request_days", label: "Requests", what: "Each single request with its attempts." },
  { name: "plan_days", label: "Plans", what: "How requests were routed, for drafts too." },
  { name: "quarter_days", label: "Sums by quarter-hour", what: "At least 190 days. Later only whole days." },
  { name: "day_days", label: "Sums by day", what: "What all longer and older figures are made of." },
] as const;

type Days = Record<(typeof LEVELS)[number]["name"], number | string>;

const days = (value: number | string): number | null => (value === "" ? null : Number(value));

export function RetentionForm({ settings }: { settings: Settings }) {
  const [asking, setAsking] = useState<string[]>([]);
  const kept = settings.retention;
  const initialValues: Days = {
    request_days: kept.request_days ?? "",
    plan_days: kept.plan_days ?? "",
    quarter_days: kept.quarter_days ?? "",
    day_days: kept.day_days ?? "",
  };
  const form = useForm({ initialValues });
  const saving = useSaving(form, useChangeSettings());
  const save = (values: Days): void =>
    saving.save(
      {
        retention: {
          request_days: days(values.request_days),
          plan_days: days(values.plan_days),
          quarter_days: days(values.quarter_days),
          day_days: days(values.day_days),
        },
      },
      { onSettled: () => setAsking([]) },
    );
  const submit = form.onSubmit((values) => {
    const shorter = LEVELS.filter(
      ({ name }) => values[name] !== "" && Number(values[name]) < (kept[name] ?? Number.POSITIVE_INFINITY),
    );
    if (shorter.length > 0) setAsking(shorter.map(({ name, label }) => `${label} older than ${values[name]} days`));
    else save(values);
  });
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <SimpleGrid cols={{ base: 1, xs: 2 }} maw={FORM_WIDTH}>
          {LEVELS.map(({ name, label, what }) => (
            <NumberInput
              key={name}
              label={label}
              description={what}
              placeholder="For ever"
              suffix=" days"
              min={1}
              max={36_500}
              clampBehavior="none"
              allowDecimal={false}
              allowNegative={false}
              {...form.getInputProps(name)}
            />
          ))}
        </SimpleGrid>
        <Text size="sm" c="dimmed">
          An empty field keeps for ever. No total changes by deleting details: sums keep what they held.
        </Text>
        <SaveButton saving={saving}>Save Retention</SaveButton>
      </Stack>
      <Modal
        opened={asking.length > 0}
        onClose={() => setAsking([])}
        title="Delete what is older?"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <Stack gap="md">
          <Text size="sm">{asking.join(", ")}: deleted within minutes, and for good.</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsking([])} data-autofocus>
              Cancel
            </Button>
            <BusyButton color="red" busy={saving.isPending} onClick={() => save(form.values)}>
              Save and Delete
            </BusyButton>
          </Group>
        </Stack>
      </Modal>
    </form>
  );
}

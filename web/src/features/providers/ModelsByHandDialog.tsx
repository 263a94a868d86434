/** Models typed by hand, for a provider that does not list its own. */
import { Button, Group, Modal, NumberInput, Stack, Text, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { Provider } from "@/api/types";
import { plural } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useAddModel } from "./queries";

interface ModelsByHandDialogProps {
  provider: Provider | null;
  onClose: () => void;
}

export function ModelsByHandDialog({ provider, onClose }: ModelsByHandDialogProps) {
  return (
    <Modal
      opened={provider !== null}
      onClose={onClose}
      title={provider && `Models of ${provider.name}`}
      size={480}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {provider && <ModelsByHandForm key={provider.id} provider={provider} onClose={onClose} />}
    </Modal>
  );
}

function ModelsByHandForm({ provider, onClose }: { provider: Provider; onClose: () => void }) {
  const add = useAddModel();
  const [saving, setSaving] = useState(false);
  const form = useForm({
    initialValues: { names: "", input_mtok: "" as number | string, output_mtok: "" as number | string },
    validate: {
      names: (value) => (namesIn(value).length === 0 ? "At least one model name" : null),
      input_mtok: (value, values) =>
        (value === "") !== (values.output_mtok === "") ? "Both prices, or neither" : null,
    },
  });
  const submit = form.onSubmit(async (values) => {
    if (saving) return;
    setSaving(true);
    const left = namesIn(values.names);
    try {
      while (left.length > 0) {
        await add.mutateAsync({
          provider_id: provider.id,
          name: left[0]!,
          ...(values.input_mtok !== "" && {
            input_mtok: Number(values.input_mtok),
            output_mtok: Number(values.output_mtok),
          }),
        });
        left.shift();
      }
      onClose();
    } catch {
      // Those before the failure are saved; the field keeps the one that failed and what follows it.
      form.setFieldValue("names", left.join("\n"));
    } finally {
      setSaving(false);
    }
  });
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          Names exactly as the provider expects them, one per line.
        </Text>
        <Textarea
          label="Model names"
          autosize
          minRows={4}
          maxRows={12}
          data-autofocus
          placeholder={"llama3.1:8b\nqwen2.5-coder:32b"}
          {...form.getInputProps("names")}
        />
        <Group grow align="flex-start">
          <NumberInput
            label="Input $ per 1M"
            min={0}
            prefix="$"
            placeholder="unknown"
            {...form.getInputProps("input_mtok")}
          />
          <NumberInput
            label="Output $ per 1M"
            min={0}
            prefix="$"
            placeholder="unknown"
            {...form.getInputProps("output_mtok")}
          />
        </Group>
        {add.isError && <ProblemAlert error={asApiError(add.error)} title="A model was not added" />}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={saving}>
            Add {plural(Math.max(1, namesIn(form.values.names).length), "model")}
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

function namesIn(text: string): string[] {
  return [...new Set(text.split(/[\n,]/).map((name) => name.trim()).filter(Boolean))];
}

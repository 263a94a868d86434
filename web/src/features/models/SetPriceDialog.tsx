/** The price of a model that had none, for calls from now on and for those that waited for it. */
import { Button, Group, Modal, NumberInput, SimpleGrid, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";

import { asApiError } from "@/api/request";
import type { UnpricedModel } from "@/api/types";
import { plural } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useSetPrice } from "./queries";

interface SetPriceDialogProps {
  model: UnpricedModel | null;
  onClose: () => void;
}

export function SetPriceDialog({ model, onClose }: SetPriceDialogProps) {
  return (
    <Modal
      opened={model !== null}
      onClose={onClose}
      title={model && `Price of ${model.model} at ${model.provider_name}`}
      size={480}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {model && <SetPriceForm key={`${model.provider_id} ${model.model}`} model={model} onClose={onClose} />}
    </Modal>
  );
}

const FIELDS = {
  input_mtok: "Input $ per 1M",
  output_mtok: "Output $ per 1M",
  request_usd: "$ per request",
  input_audio_minute_usd: "$ per minute of sound",
} as const;
type Field = keyof typeof FIELDS;

function SetPriceForm({ model, onClose }: { model: UnpricedModel; onClose: () => void }) {
  const save = useSetPrice(model);
  const perToken = model.needs === "price";
  const form = useForm<Record<Field, number | string>>({
    initialValues: { input_mtok: "", output_mtok: "", request_usd: "", input_audio_minute_usd: "" },
    validate: (values) =>
      perToken
        ? {
            input_mtok: values.input_mtok === "" ? "Enter a price; 0 where it is free" : null,
            output_mtok: values.output_mtok === "" ? "Enter a price; 0 where it is free" : null,
          }
        : {
            request_usd:
              values.request_usd === "" && values.input_audio_minute_usd === "" ? "Enter one of the two prices" : null,
          },
  });
  const submit = form.onSubmit((values) => {
    if (save.isPending) return;
    const given = (Object.keys(FIELDS) as Field[]).filter((field) => values[field] !== "");
    save.mutate(Object.fromEntries(given.map((field) => [field, Number(values[field])])), {
      onSuccess: onClose,
      onError: (error) => {
        const { param, message } = asApiError(error);
        if (param && param in values) form.setFieldError(param, message);
      },
    });
  });
  const failure = save.isError ? asApiError(save.error) : null;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          It holds for calls from now on, and prices the {plural(model.requests, "request")} that waited for it, marked as
          priced later. Further prices (caching, reasoning) are set where the model is edited; set them first if it has
          any.
        </Text>
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          {(Object.keys(FIELDS) as Field[])
            .filter((field) => perToken || !field.endsWith("_mtok"))
            .map((field) => (
              <NumberInput
                key={field}
                label={FIELDS[field]}
                prefix="$"
                min={0}
                allowNegative={false}
                placeholder={field.endsWith("_mtok") ? undefined : "none"}
                {...form.getInputProps(field)}
              />
            ))}
        </SimpleGrid>
        {failure && Object.keys(form.errors).length === 0 && <ProblemAlert error={failure} title="Nothing was saved" />}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={save.isPending}>
            Save Price
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

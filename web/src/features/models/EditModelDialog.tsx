/** Prices, score and context set by hand; an emptied field takes the word back and the catalogue counts again. */
import { Button, Group, Modal, NumberInput, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";

import { asApiError } from "@/api/request";
import type { Model, ModelChange } from "@/api/types";
import { UNKNOWN } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useChangeModel } from "./queries";

interface EditModelDialogProps {
  model: Model | null;
  onClose: () => void;
}

const FIELDS = ["input_mtok", "output_mtok", "score", "context_window"] as const;
type Field = (typeof FIELDS)[number];
type Values = Record<Field, number | string>;

export function EditModelDialog({ model, onClose }: EditModelDialogProps) {
  return (
    <Modal
      opened={model !== null}
      onClose={onClose}
      title={model && `${model.display_name} at ${model.provider_name}`}
      size={460}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {model && <EditModelForm key={model.id} model={model} onClose={onClose} />}
    </Modal>
  );
}

/** What stands in the fields: only an administrator's own word; the rest is a placeholder. */
function overrides(model: Model): Values {
  const known: Record<Field, number | null | undefined> = {
    input_mtok: model.price?.input_mtok,
    output_mtok: model.price?.output_mtok,
    score: model.score,
    context_window: model.context_window,
  };
  const own = (field: Field): number | string => (model.overridden.includes(field) ? (known[field] ?? "") : "");
  return {
    input_mtok: own("input_mtok"),
    output_mtok: own("output_mtok"),
    score: own("score"),
    context_window: own("context_window"),
  };
}

const known = (value: number | null | undefined): string =>
  value === null || value === undefined ? UNKNOWN : String(value);

function EditModelForm({ model, onClose }: { model: Model; onClose: () => void }) {
  const change = useChangeModel();
  const before = overrides(model);
  const form = useForm<Values>({
    initialValues: before,
    validate: {
      output_mtok: (value, values) =>
        !model.price && (value === "") !== (values.input_mtok === "") ? "Both prices, or neither" : null,
    },
  });
  const submit = form.onSubmit((values) => {
    if (change.isPending) return;
    const body: ModelChange = {};
    for (const field of FIELDS) {
      if (values[field] !== before[field]) body[field] = values[field] === "" ? null : Number(values[field]);
    }
    if (Object.keys(body).length === 0) onClose();
    else
      change.mutate(
        { id: model.id, change: body },
        {
          onSuccess: onClose,
          onError: (error) => {
            const { param, message } = asApiError(error);
            if (param && param in values) form.setFieldError(param, message);
          },
        },
      );
  });
  const failure = change.isError ? asApiError(change.error) : null;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          Empty fields follow {model.price ? model.price.source : "the catalogue"}; what you type here wins over it. New
          prices count for calls from now on.
        </Text>
        <Group grow align="flex-start">
          <NumberInput
            label="Input $ per 1M"
            prefix="$"
            min={0}
            placeholder={known(model.price?.input_mtok)}
            {...form.getInputProps("input_mtok")}
          />
          <NumberInput
            label="Output $ per 1M"
            prefix="$"
            min={0}
            placeholder={known(model.price?.output_mtok)}
            {...form.getInputProps("output_mtok")}
          />
        </Group>
        <Group grow align="flex-start">
          <NumberInput label="Score" min={0} placeholder={known(model.score)} {...form.getInputProps("score")} />
          <NumberInput
            label="Context window"
            min={1}
            allowDecimal={false}
            thousandSeparator
            placeholder={known(model.context_window)}
            {...form.getInputProps("context_window")}
          />
        </Group>
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

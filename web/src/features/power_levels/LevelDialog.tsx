/** What one power level chooses among: a list of models, a highest price, a lowest score; or everything. */
import { Button, Group, Modal, NumberInput, Stack, TagsInput, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { PowerLevelFigures } from "@/api/types";
import { modelNamesQuery } from "@/features/models/queries";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useChangeLevels } from "./queries";

export function LevelDialog({ level, onClose }: { level: PowerLevelFigures | null; onClose: () => void }) {
  return (
    <Modal
      opened={level !== null}
      onClose={onClose}
      title={level && `Edit ${level.name}`}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {level && <LevelForm level={level} onClose={onClose} />}
    </Modal>
  );
}

const numberOrNull = (value: number | string): number | null => (value === "" ? null : Number(value));

function LevelForm({ level, onClose }: { level: PowerLevelFigures; onClose: () => void }) {
  const models = useQuery(modelNamesQuery);
  const change = useChangeLevels();
  const form = useForm({
    initialValues: {
      models: level.rule.models ?? [],
      max_usd_mtok: (level.rule.max_usd_mtok ?? "") as number | string,
      min_score: (level.rule.min_score ?? "") as number | string,
    },
  });
  const submit = form.onSubmit((values) => {
    if (change.isPending) return;
    change.mutate(
      {
        [level.level]: {
          models: values.models,
          max_usd_mtok: numberOrNull(values.max_usd_mtok),
          min_score: numberOrNull(values.min_score),
        },
      },
      {
        onSuccess: onClose,
        onError: (error) => {
          const { param, message } = asApiError(error);
          const field = Object.keys(values).find((name) => param?.includes(name));
          if (field) form.setFieldError(field, message);
        },
      },
    );
  });
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          Without any bound the level chooses among all models by its strategy. A model whose price or score is unknown
          is outside a bound on it.
        </Text>
        <TagsInput
          label="Models"
          description="Ids or aliases such as claude-haiku. Leave empty for all."
          data={models.data ?? []}
          limit={40}
          placeholder={form.values.models.length ? undefined : "All models"}
          {...form.getInputProps("models")}
        />
        <NumberInput
          label="Highest price"
          description="Per 1M tokens, three parts input and one part output."
          prefix="$"
          min={0}
          placeholder="No bound"
          {...form.getInputProps("max_usd_mtok")}
        />
        <NumberInput
          label="Lowest quality score"
          description="0 to 100."
          min={0}
          max={100}
          placeholder="No bound"
          {...form.getInputProps("min_score")}
        />
        {change.isError && Object.keys(form.errors).length === 0 && (
          <ProblemAlert error={asApiError(change.error)} title="Nothing was saved" />
        )}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={change.isPending}>
            Save Level
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

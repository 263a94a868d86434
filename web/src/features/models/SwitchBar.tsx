/** Many models enabled or disabled at once: those that are ticked, or all that fit the filters. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { Model, ModelsSwitch } from "@/api/types";
import { countExact } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useSwitchModels } from "./queries";

interface SwitchBarProps {
  selected: Model[];
  /** How many fit the filters. */
  total: number;
  filter: NonNullable<ModelsSwitch["filter"]>;
  onDone: () => void;
}

const many = (count: number): string => `${countExact(count)} ${count === 1 ? "model" : "models"}`;

export function SwitchBar({ selected, total, filter, onDone }: SwitchBarProps) {
  const change = useSwitchModels();
  const [asking, setAsking] = useState<boolean | null>(null);
  const [changed, setChanged] = useState<string | null>(null);
  const ticked = selected.length > 0;
  const affected = ticked ? selected.length : total;
  const run = (enabled: boolean): void => {
    if (change.isPending) return;
    const which = ticked ? { ids: selected.map(({ id }) => id) } : { filter };
    change.mutate(
      { enabled, ...which },
      {
        onSuccess: (answer) => {
          setChanged(`${many(answer.changed)} ${enabled ? "enabled" : "disabled"}.`);
          setAsking(null);
          onDone();
        },
      },
    );
  };
  // What was ticked is in sight; everything that fits is not, so that is asked again.
  const start = (enabled: boolean): void => {
    setChanged(null);
    change.reset();
    if (ticked) run(enabled);
    else setAsking(enabled);
  };
  return (
    <>
      <Group gap="xs">
        <Text size="sm" c="dimmed" aria-live="polite">
          {ticked ? `${many(affected)} ticked` : (changed ?? `${many(affected)} ${affected === 1 ? "fits" : "fit"}`)}
        </Text>
        <BusyButton size="compact-sm" variant="default" busy={change.isPending && change.variables.enabled} onClick={() => start(true)}>
          {ticked ? "Enable Ticked" : "Enable All"}
        </BusyButton>
        <BusyButton size="compact-sm" variant="default" busy={change.isPending && !change.variables.enabled} onClick={() => start(false)}>
          {ticked ? "Disable Ticked" : "Disable All"}
        </BusyButton>
        {ticked && (
          <Button size="compact-sm" variant="subtle" onClick={onDone}>
            Untick
          </Button>
        )}
      </Group>
      {change.isError && asking === null && (
        <ProblemAlert error={asApiError(change.error)} title="No model was switched" />
      )}
      <Modal
        opened={asking !== null}
        onClose={() => setAsking(null)}
        title={`${asking ? "Enable" : "Disable"} ${many(affected)}?`}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <Stack gap="md">
          <Text size="sm">
            {asking
              ? "All models that fit the filters may be called and chosen from now on."
              : "All models that fit the filters get no traffic from anybody from now on, under no name."}
          </Text>
          {change.isError && <ProblemAlert error={asApiError(change.error)} title="No model was switched" />}
          <Group justify="flex-end">
            <Button variant="default" data-autofocus onClick={() => setAsking(null)}>
              Cancel
            </Button>
            <BusyButton color={asking ? undefined : "red"} busy={change.isPending} onClick={() => run(asking === true)}>
              {asking ? "Enable" : "Disable"} {many(affected)}
            </BusyButton>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

/** The four waits that end a call; an empty field follows what holds without it. */
import { Fieldset, NumberInput, SimpleGrid, Text, type NumberInputProps } from "@mantine/core";

import type { TimeLimits } from "@/api/types";

import { TIME_LIMITS, type TimeLimit } from "./timeLimits";

const LABELS: Readonly<Record<TimeLimit, string>> = {
  connect_seconds: "Connect",
  first_chunk_seconds: "First chunk",
  chunk_seconds: "Between chunks",
  total_seconds: "Total",
};

interface TimeLimitFieldsProps {
  inputProps: (path: string) => NumberInputProps;
  /** What holds where a field is empty. */
  otherwise: TimeLimits | undefined;
}

export function TimeLimitFields({ inputProps, otherwise }: TimeLimitFieldsProps) {
  return (
    <Fieldset variant="unstyled" legend={<Text size="sm" fw={500}>Time limits</Text>}>
      <Text size="xs" c="dimmed" mb="xs">
        In seconds, of one call. A whole answer has the first and the last alone; a stream has no total unless you set
        one.
      </Text>
      <SimpleGrid cols={{ base: 2, xs: 4 }} spacing="sm">
        {TIME_LIMITS.map((name) => (
          <NumberInput
            key={name}
            label={LABELS[name]}
            min={0}
            allowNegative={false}
            clampBehavior="none"
            suffix=" s"
            hideControls
            placeholder={otherwise?.[name] == null ? "none" : `${otherwise[name]} s`}
            {...inputProps(`time_limits.${name}`)}
          />
        ))}
      </SimpleGrid>
    </Fieldset>
  );
}

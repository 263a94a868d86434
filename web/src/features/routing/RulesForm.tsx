/** The rules beside the strategy: switches save at once, weights when they sum to 1. */
import { Button, Group, NumberInput, SimpleGrid, Stack, Switch, Text, Title } from "@mantine/core";
import { useId, useState } from "react";

import { asApiError } from "@/api/request";
import type { RoutingChange, RoutingRules } from "@/api/types";
import { useDraft } from "@/ui/useDraft";

import { useChangeRules } from "./queries";

type Weight = "price" | "speed" | "quality";

const WEIGHTS: readonly { name: Weight; label: string }[] = [
  { name: "price", label: "Price" },
  { name: "speed", label: "Speed" },
  { name: "quality", label: "Quality" },
];
const MOST_RETRIES = 5;

interface RulesFormProps {
  rules: RoutingRules;
  disabled: boolean;
}

export function RulesForm({ rules, disabled }: RulesFormProps) {
  const change = useChangeRules();
  // What was just chosen shows at once and falls back to what is in force when it could not be saved.
  const [chosen, setChosen] = useState<RoutingChange>({});
  const save = (to: RoutingChange): void => {
    setChosen(to);
    change.mutate(to, { onSettled: () => setChosen({}) });
  };
  return (
    <Stack gap="md">
      <WeightsForm rules={rules} disabled={disabled} />
      <Switch
        label="The strategy replaces named models"
        description="Requests that name a model go where the strategy sends them, too."
        disabled={disabled}
        checked={chosen.replace_named ?? rules.replace_named}
        onChange={(event) => save({ replace_named: event.currentTarget.checked })}
      />
      <Switch
        label="Long prompts may move to a larger window"
        description="When a provider says that a prompt is too long, a model with a larger context window is asked."
        disabled={disabled}
        checked={chosen.larger_window ?? rules.larger_window}
        onChange={(event) => save({ larger_window: event.currentTarget.checked })}
      />
      <NumberInput
        label="Retries"
        description="How often the last provider may be asked once more, where that can help."
        disabled={disabled}
        w={{ base: "100%", sm: 320 }}
        min={0}
        max={MOST_RETRIES}
        allowDecimal={false}
        clampBehavior="strict"
        value={chosen.retries ?? rules.retries}
        onChange={(value) => {
          if (typeof value === "number" && value !== rules.retries) save({ retries: value });
        }}
      />
      <Text size="xs" role="status" c={change.isError ? "red" : "dimmed"}>
        {change.isPending && "Saving…"}
        {change.isSuccess && "Saved, and in force now."}
        {change.isError && `Not saved: ${asApiError(change.error).message}`}
      </Text>
    </Stack>
  );
}

function WeightsForm({ rules, disabled }: RulesFormProps) {
  const change = useChangeRules();
  const heading = useId();
  const [values, setValues] = useDraft<Record<Weight, number | string>>(rules.weights);
  const [error, setError] = useState<string | null>(null);
  const numbers = WEIGHTS.map(({ name }) => Number(values[name]));
  const blank = WEIGHTS.find(({ name }) => values[name] === "");
  const sum = numbers.reduce((total, one) => total + one, 0);
  const off = Math.abs(sum - 1) > 1e-6;
  const dirty = WEIGHTS.some(({ name }) => Number(values[name]) !== rules.weights[name]);
  const problem = blank
    ? "Each of the three needs a number"
    : off
      ? `The three must sum to 1; these sum to ${Number(sum.toFixed(4))}`
      : error;
  const submit = (event: React.SyntheticEvent): void => {
    event.preventDefault();
    if (problem || !dirty || change.isPending) return;
    const [price = 0, speed = 0, quality = 0] = numbers;
    change.mutate({ weights: { price, speed, quality } }, { onError: (failure) => setError(asApiError(failure).message) });
  };
  return (
    <form onSubmit={submit} aria-labelledby={heading} noValidate>
      <Title order={3} id={heading} fz="sm" mb={6}>
        Weights of Balanced
      </Title>
      <SimpleGrid cols={3} spacing="sm">
        {WEIGHTS.map(({ name, label }, place) => (
          <NumberInput
            key={name}
            label={label}
            disabled={disabled}
            min={0}
            max={1}
            step={0.05}
            decimalScale={4}
            clampBehavior="strict"
            value={values[name]}
            error={dirty && problem ? (place === 0 ? problem : true) : null}
            styles={{ error: { whiteSpace: "nowrap" } }}
            onChange={(value) => {
              setError(null);
              setValues((before) => ({ ...before, [name]: value }));
            }}
          />
        ))}
      </SimpleGrid>
      {dirty && (
        <Group gap="xs" mt="sm">
          <Button type="submit" size="xs" disabled={Boolean(problem)} loading={change.isPending}>
            Save Weights
          </Button>
          <Button size="xs" variant="default" onClick={() => setValues({ ...rules.weights })}>
            Undo
          </Button>
        </Group>
      )}
    </form>
  );
}

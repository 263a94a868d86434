/** Try routing: where a request would go, why, and what it would cost, before anything is sent. */
import { Checkbox, Divider, Drawer, Group, NumberInput, Paper, Select, SimpleGrid, Skeleton, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useDebouncedValue, useMounted } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { PowerLevel, RouteExplain, RoutePlan } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { usersQuery } from "@/features/users/queries";
import { duration, money, moneyExact } from "@/format/format";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { PlanView } from "./PlanView";
import { routeQuery } from "./queries";
import { levelLabel } from "./strategies";

interface TryRoutingDrawerProps {
  opened: boolean;
  onClose: () => void;
}

interface Values {
  model: string;
  level: PowerLevel | null;
  user: string | null;
  prompt: string;
  input: number | string;
  output: number | string;
  tools: boolean;
  pictures: boolean;
  structured: boolean;
}

const BLANK: Values = {
  model: "",
  level: null,
  user: null,
  prompt: "",
  input: "",
  output: "",
  tools: false,
  pictures: false,
  structured: false,
};
const POWER_LEVELS: PowerLevel[] = ["eco", "balanced", "precision"];
const A_TOOL = [{ type: "function", function: { name: "example", parameters: { type: "object" } } }];
const A_SCHEMA = { type: "json_schema", json_schema: { name: "example", schema: { type: "object" } } };
const A_PICTURE = { type: "image_url", image_url: { url: "https://example.com/picture.png" } };

/** The request that these values describe, in the words of a chat completion. */
function asked(values: Values): RouteExplain {
  const content = values.pictures ? [{ type: "text", text: values.prompt }, A_PICTURE] : values.prompt;
  return {
    model: values.model.trim() || null,
    power_level: values.level,
    user_id: values.user,
    messages: [{ role: "user", content }],
    input_tokens: values.input === "" ? null : Number(values.input),
    max_tokens: values.output === "" ? null : Number(values.output),
    tools: values.tools ? A_TOOL : null,
    response_format: values.structured ? A_SCHEMA : null,
  };
}

export function TryRoutingDrawer({ opened, onClose }: TryRoutingDrawerProps) {
  const [values, setValues] = useState(BLANK);
  const set = (change: Partial<Values>): void => setValues((before) => ({ ...before, ...change }));
  const [settled] = useDebouncedValue(values, 250);
  const route = useQuery({ ...routeQuery(asked(settled)), enabled: opened });
  const administers = useMay("manage users");
  const users = useQuery({ ...usersQuery, enabled: opened && administers });
  // A drawer that is open from its first moment would not know where to give the focus back.
  const isMounted = useMounted();
  return (
    <Drawer
      opened={opened && isMounted}
      onClose={onClose}
      position="right"
      size={760}
      title="Try Routing"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          The plan that a request like this would get right now, made by the function that traffic goes through. Nothing
          is sent to any provider.
        </Text>
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
          <TextInput
            label="Model"
            placeholder="auto"
            description="A name, an alias, eco, or nothing."
            value={values.model}
            maxLength={300}
            onChange={(event) => set({ model: event.currentTarget.value })}
          />
          <Select
            label="Power level"
            description="As by the header x-power-level."
            placeholder="None"
            clearable
            data={POWER_LEVELS.map((level) => ({ value: level, label: levelLabel(level) }))}
            value={values.level}
            onChange={(level) => set({ level: level as PowerLevel | null })}
          />
        </SimpleGrid>
        <Textarea
          label="Prompt"
          description="Its length gives the estimate of the input."
          autosize
          minRows={2}
          maxRows={8}
          value={values.prompt}
          onChange={(event) => set({ prompt: event.currentTarget.value })}
        />
        <SimpleGrid cols={{ base: 1, sm: administers ? 3 : 2 }} spacing="sm">
          <NumberInput
            label="Input tokens"
            placeholder="estimated"
            min={0}
            max={100_000_000}
            allowDecimal={false}
            thousandSeparator=","
            value={values.input}
            onChange={(input) => set({ input })}
          />
          <NumberInput
            label="Output tokens at most"
            placeholder="not limited"
            min={1}
            max={100_000_000}
            allowDecimal={false}
            thousandSeparator=","
            value={values.output}
            onChange={(output) => set({ output })}
          />
          {administers && (
            <Select
              label="As the user"
              placeholder="Nobody in particular"
              clearable
              searchable
              data={users.data?.map((user) => ({ value: user.id, label: user.email })) ?? []}
              value={values.user}
              onChange={(user) => set({ user })}
            />
          )}
        </SimpleGrid>
        <Group gap="lg" role="group" aria-label="Needs">
          <Checkbox label="Tools" checked={values.tools} onChange={(event) => set({ tools: event.currentTarget.checked })} />
          <Checkbox label="Pictures" checked={values.pictures} onChange={(event) => set({ pictures: event.currentTarget.checked })} />
          <Checkbox
            label="Structured output"
            checked={values.structured}
            onChange={(event) => set({ structured: event.currentTarget.checked })}
          />
        </Group>
        <Divider />
        {route.isPending && <Skeleton height={240} />}
        {route.isError && (
          <ProblemAlert
            error={asApiError(route.error)}
            title="The plan could not be made"
            onRetry={() => void route.refetch()}
          />
        )}
        {route.data && (
          <>
            <First plan={route.data} />
            <PlanView plan={route.data} />
          </>
        )}
      </Stack>
    </Drawer>
  );
}

/** The answer in one line: who would be asked first, and for how much. */
function First({ plan }: { plan: RoutePlan }) {
  const first = plan.targets[0];
  if (!first) return null;
  const cost = first.expected_cost_usd;
  return (
    <Paper p="md" aria-live="polite" component="section" aria-label="Expected">
      <Text fw={600} style={{ overflowWrap: "anywhere" }}>
        {first.model} at {first.provider}
      </Text>
      <Text size="sm" className="oc-figures">
        {cost === null ? (
          "No price is known for this model, so the cost is unknown."
        ) : (
          <span title={moneyExact(cost)}>{cost === 0 ? "Free of charge" : `About ${money(cost)} for this request`}</span>
        )}
        {first.expected_seconds !== null && `, an answer in about ${duration(first.expected_seconds * 1000)}`}
        {first.credential === "byok" && ", on the user's own key"}
      </Text>
    </Paper>
  );
}

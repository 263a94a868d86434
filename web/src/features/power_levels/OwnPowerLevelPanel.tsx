/** My power level: what my requests go by when they name no model, up to what an admin allows. */
import { Select, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { PowerLevel } from "@/api/types";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { ownPowerLevelQuery, useChangeOwnLevel } from "./queries";

const NONE = "none";

export function OwnPowerLevelPanel() {
  const own = useQuery(ownPowerLevelQuery);
  const change = useChangeOwnLevel();
  const shown = change.isPending ? change.variables : (own.data?.level ?? null);
  const holds = own.data?.choices.find((choice) => choice.level === (shown ?? own.data.holds));
  return (
    <Panel
      title="My Power Level"
      description="What your requests go by when they leave the model to the gateway. A key or a request may say otherwise."
    >
      {own.isPending && <Skeleton height={60} />}
      {own.isError && (
        <ProblemAlert
          error={asApiError(own.error)}
          title="Your power level could not be loaded"
          onRetry={() => void own.refetch()}
        />
      )}
      {own.data && (
        <Stack gap="xs">
          <Select
            aria-label="My power level"
            allowDeselect={false}
            maw={420}
            data={[
              { value: NONE, label: "As the routing strategy says" },
              ...own.data.choices.map((choice) => ({
                value: choice.level as string,
                label: choice.allowed ? choice.name : `${choice.name} (ask an admin)`,
                disabled: !choice.allowed,
              })),
            ]}
            value={shown ?? NONE}
            onChange={(value) => {
              if (value) change.mutate(value === NONE ? null : (value as PowerLevel));
            }}
          />
          {holds && (
            <Text size="xs" c="dimmed">
              {holds.name}: {holds.best_for.toLowerCase()}, such as {holds.example_models.join(", ")}.
            </Text>
          )}
          {change.isError && <ProblemAlert error={asApiError(change.error)} title="Not saved" />}
        </Stack>
      )}
    </Panel>
  );
}

/** The budgets that bound the reader: their own, their keys' and their team's. Nothing to show without any. */
import { Alert, Box, Group, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { Budget } from "@/api/types";
import { lastDayBefore, money } from "@/format/format";
import { Panel } from "@/ui/Panel";

import { ownBudgetsQuery } from "./queries";
import { SpentBar } from "./SpentBar";
import { outlook, urgency } from "./words";

export function OwnBudgetsPanel() {
  const found = useQuery(ownBudgetsQuery).data;
  if (!found || found.budgets.length === 0) return null;
  return (
    <Panel title="My Budgets" description="What you, your keys and your team may spend.">
      <Stack gap="md">
        {found.budgets.map((budget) => (
          <OwnBudget key={budget.id} budget={budget} zone={found.time_zone} />
        ))}
      </Stack>
    </Panel>
  );
}

const WHOSE: Partial<Record<Budget["scope"], string>> = { user: "You", team: "Your team", api_key: "Key" };

function OwnBudget({ budget, zone }: { budget: Budget; zone: string }) {
  const whose = WHOSE[budget.scope] ?? "";
  const name = budget.scope === "user" ? whose : `${whose} ${budget.subject_name}`;
  const color = urgency(budget);
  return (
    <Box component="section" aria-label={`Budget of ${name}`}>
      <Group justify="space-between" gap="sm" align="flex-start">
        <Stack gap={0}>
          <Text size="sm" fw={560}>
            {name}
          </Text>
          <Text size="xs" c="dimmed">
            {money(budget.amount_usd)} per {budget.period}, until {lastDayBefore(budget.period_end_at, zone)}
          </Text>
        </Stack>
        <SpentBar budget={budget} />
      </Group>
      {color === "green" ? (
        <Text size="xs" c="dimmed">
          {outlook(budget, zone)}
        </Text>
      ) : (
        <Alert color={color} mt={6} py={6} role="status">
          {outlook(budget, zone)}
        </Alert>
      )}
    </Box>
  );
}

/** Budgets: what may be spent per day, week or month, how much of it is gone and how it goes on. */
import { Badge, Button, Group, Stack, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { Budget } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { lastDayBefore, money, moneyExact } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";
import { Table } from "@/ui/Table";

import { BudgetDialog } from "./BudgetDialog";
import { DeleteBudgetDialog } from "./DeleteBudgetDialog";
import { budgetsQuery } from "./queries";
import { SpentBar } from "./SpentBar";
import { KIND, outlook } from "./words";

export function BudgetsPage() {
  const budgets = useQuery(budgetsQuery);
  const writes = useMay("manage users");
  const [editing, setEditing] = useState<Budget | "new" | null>(null);
  const [deleting, setDeleting] = useState<Budget | null>(null);
  const zone = budgets.data?.time_zone;
  const add = writes && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setEditing("new")}>
      Add Budget
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Budgets"
        description={`What may be spent by a key, a user, a team, at a provider or in all. Periods follow the calendar${zone ? ` of ${zone}` : ""}.`}
        action={add}
      />
      <Stack gap="md">
        <StaleNotice query={budgets} />
        {budgets.isError && !budgets.data ? (
          <ProblemAlert
            error={asApiError(budgets.error)}
            title="The budgets could not be loaded"
            onRetry={() => void budgets.refetch()}
          />
        ) : (
          <Table<Budget>
            label="Budgets"
            records={budgets.data?.budgets}
            fetching={budgets.isPending}
            empty={
              <EmptyState title="No budget yet" action={{ label: "Add the first budget", onClick: () => setEditing("new") }}>
                Without one, whoever has an API key may spend what they like.
              </EmptyState>
            }
            columns={[
              {
                accessor: "subject_name",
                title: "Of",
                render: (budget) => (
                  <Stack gap={0} miw={150}>
                    <Text size="sm" fw={560}>
                      {budget.subject_name}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {KIND[budget.scope]}
                    </Text>
                  </Stack>
                ),
              },
              {
                accessor: "amount_usd",
                title: "Budget",
                render: (budget) => (
                  <Text size="sm" style={{ whiteSpace: "nowrap" }} title={moneyExact(budget.amount_usd)}>
                    {money(budget.amount_usd)} per {budget.period}
                  </Text>
                ),
              },
              { accessor: "share", title: "Spent", render: (budget) => <SpentBar budget={budget} /> },
              {
                accessor: "runs_out_at",
                title: "Outlook",
                render: (budget) => (
                  <Stack gap={0} miw={190}>
                    <Text size="sm">{outlook(budget, zone)}</Text>
                    <Text size="xs" c="dimmed">
                      until {lastDayBefore(budget.period_end_at, zone ?? "UTC")}
                    </Text>
                  </Stack>
                ),
              },
              {
                accessor: "hard",
                title: "When used up",
                render: (budget) => (
                  <Badge color={budget.hard ? "red" : "gray"} variant="light">
                    {budget.hard ? "Refuse" : "Warn only"}
                  </Badge>
                ),
              },
              ...(writes
                ? [
                    {
                      accessor: "actions",
                      title: "Actions",
                      textAlign: "right" as const,
                      render: (budget: Budget) => (
                        <Group gap={6} justify="flex-end" wrap="nowrap">
                          <Button
                            size="compact-xs"
                            variant="default"
                            aria-label={`Edit the budget of ${budget.subject_name} per ${budget.period}`}
                            onClick={() => setEditing(budget)}
                          >
                            Edit
                          </Button>
                          <Button
                            size="compact-xs"
                            variant="light"
                            color="red"
                            aria-label={`Delete the budget of ${budget.subject_name} per ${budget.period}`}
                            onClick={() => setDeleting(budget)}
                          >
                            Delete
                          </Button>
                        </Group>
                      ),
                    },
                  ]
                : []),
            ]}
          />
        )}
      </Stack>
      <BudgetDialog editing={editing} onClose={() => setEditing(null)} />
      <DeleteBudgetDialog budget={deleting} onClose={() => setDeleting(null)} />
    </>
  );
}

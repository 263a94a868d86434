/** Alerts: what rings now and what rang, each with its figures and requests; and the rules they go by. */
import { Button, Group, SegmentedControl, Skeleton, Stack } from "@mantine/core";
import { IconArrowRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { asApiError } from "@/api/request";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";

import { AlertItem } from "./AlertItem";
import { alertsQuery } from "./queries";
import { RulesPanel } from "./RulesPanel";

export function AlertsPage() {
  const { state = "open", cursor } = useSearch({ from: "/signed-in/admin/alerts" });
  const navigate = useNavigate({ from: "/admin/alerts" });
  const alerts = useQuery(alertsQuery(state, cursor));
  const { data } = alerts;
  return (
    <>
      <PageHeader
        title="Alerts"
        description="Conditions of traffic that somebody should know of. They open and close by themselves; people are told once of each, by mail and webhook as the settings say."
      />
      <Stack gap="lg">
        <Panel
          title={state === "open" ? "Open" : "History"}
          controls={
            <SegmentedControl
              size="xs"
              aria-label="Which alerts"
              value={state}
              data={[
                { value: "open", label: data ? `Open (${data.open})` : "Open" },
                { value: "closed", label: "History" },
              ]}
              onChange={(to) => void navigate({ search: { state: to === "closed" ? "closed" : undefined } })}
            />
          }
        >
          <Stack gap="md" style={{ opacity: alerts.isPlaceholderData ? 0.6 : 1 }}>
            <StaleNotice query={alerts} />
            {alerts.isError && !data && (
              <ProblemAlert
                error={asApiError(alerts.error)}
                title="The alerts could not be loaded"
                onRetry={() => void alerts.refetch()}
              />
            )}
            {alerts.isPending && <Skeleton height={120} />}
            {data?.alerts.length === 0 &&
              (state === "open" ? (
                <EmptyState title="Nothing rings">Every half minute traffic and providers are looked at.</EmptyState>
              ) : (
                <EmptyState title="Nothing has rung yet">Alerts that are over stay here for a year.</EmptyState>
              ))}
            {data && data.alerts.length > 0 && (
              <Stack component="ul" gap={0} m={0} p={0} style={{ listStyle: "none" }} aria-label="Alerts">
                {data.alerts.map((alert) => (
                  <AlertItem key={alert.id} alert={alert} />
                ))}
              </Stack>
            )}
            {(cursor ?? data?.next_cursor) && (
              <Group justify="flex-end">
                {cursor && (
                  <Button
                    variant="default"
                    size="xs"
                    onClick={() => void navigate({ search: (before) => ({ ...before, cursor: undefined }) })}
                  >
                    Newest
                  </Button>
                )}
                <Button
                  variant="default"
                  size="xs"
                  disabled={!data?.next_cursor}
                  rightSection={<IconArrowRight size={14} />}
                  onClick={() =>
                    void navigate({ search: (before) => ({ ...before, cursor: data?.next_cursor ?? undefined }) })
                  }
                >
                  Older
                </Button>
              </Group>
            )}
          </Stack>
        </Panel>
        {data && <RulesPanel rules={data.rules} />}
      </Stack>
    </>
  );
}

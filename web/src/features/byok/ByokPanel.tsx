/** BYOK Management: who brings their own keys, what that saves, and the policy over it. */
import { Button, Group, Select, SimpleGrid, Skeleton, Stack, Text } from "@mantine/core";
import { IconUsers } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { asApiError } from "@/api/request";
import type { ByokPolicy, ByokSummary } from "@/api/types";
import { POLICIES } from "@/features/provider_keys/policies";
import { absoluteTime, count, estimatedPart, money, moneyExact, plural } from "@/format/format";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";

import { byokSummaryQuery, useChangePolicy } from "./queries";

export function ByokPanel() {
  const summary = useQuery(byokSummaryQuery);
  return (
    <Panel
      title="BYOK Management"
      description="Users who bring their own provider keys pay for them themselves."
      controls={
        <Button
          component={Link}
          to="/admin/byok"
          size="xs"
          variant="default"
          leftSection={<IconUsers size={14} />}
        >
          View BYOK users
        </Button>
      }
    >
      <Stack gap="md">
        <StaleNotice query={summary} />
        {summary.isError && !summary.data && (
          <ProblemAlert
            error={asApiError(summary.error)}
            title="The figures could not be loaded"
            onRetry={() => void summary.refetch()}
          />
        )}
        {summary.isPending && <Skeleton height={120} />}
        {summary.data && <Figures summary={summary.data} />}
        {summary.data && <Policy policy={summary.data.policy} />}
      </Stack>
    </Panel>
  );
}

function Figures({ summary }: { summary: ByokSummary }) {
  const at = `Computed ${absoluteTime(summary.computed_at)}`;
  const unknown = summary.unknown_saving_requests_30d;
  return (
    <>
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        <Figure
          label="BYOK users"
          value={count(summary.byok_users)}
          exact={`${plural(summary.byok_users, "user")} with ${plural(summary.keys, "key")}. ${at}`}
          note={
            summary.failing_keys > 0
              ? `${plural(summary.failing_keys, "key")} refused by the provider`
              : plural(summary.keys, "key")
          }
        />
        <Figure
          label="Total cost saved"
          value={money(summary.saved_total_usd)}
          exact={`${moneyExact(summary.saved_total_usd)} since the first request on an own key. ${at}`}
          note={joined(`${money(summary.saved_30d_usd)} in 30 days`, estimatedPart(summary.saved_total_estimated_share))}
        />
        <Figure
          label="Active BYOK accounts"
          value={count(summary.active_accounts)}
          exact={`Used an own key in the last 30 days. ${at}`}
          note={`${plural(summary.requests_30d, "request")} in 30 days`}
        />
      </SimpleGrid>
      <Text size="xs" c="dimmed" className="oc-figures">
        Users paid {joined(money(summary.own_cost_30d_usd), estimatedPart(summary.own_cost_30d_estimated_share))} themselves in 30 days.
        Fallbacks to the platform&apos;s keys: {count(summary.fallbacks_30d)}
        {summary.fallbacks_30d > 0 &&
          ` (${joined(money(summary.fallback_cost_30d_usd), estimatedPart(summary.fallback_cost_30d_estimated_share))})`}
        .
        {unknown > 0 && ` ${plural(unknown, "request")} without a known price are not in the savings.`}
      </Text>
    </>
  );
}

const joined = (...parts: (string | null)[]): string => parts.filter((part) => part !== null).join(", ");

function Figure({ label, value, exact, note }: { label: string; value: string; exact: string; note: string }) {
  return (
    <Stack gap={0} role="group" aria-label={label} title={exact}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text fz={22} fw={640} className="oc-figures">
        {value}
      </Text>
      <Text size="xs" c="dimmed" className="oc-figures">
        {note}
      </Text>
    </Stack>
  );
}

function Policy({ policy }: { policy: ByokPolicy }) {
  const change = useChangePolicy();
  const shown = change.isPending ? change.variables : policy;
  return (
    <Stack gap={4}>
      <Select
        label="Policy"
        allowDeselect={false}
        data={POLICIES.map(({ value, label }) => ({ value, label }))}
        value={shown}
        description={POLICIES.find((one) => one.value === shown)?.meaning}
        inputWrapperOrder={["label", "input", "description", "error"]}
        error={change.isError ? asApiError(change.error).message : undefined}
        onChange={(value) => {
          if (value && value !== policy) change.mutate(value as ByokPolicy);
        }}
      />
      <Group>
        <Text size="xs" c="dimmed" role="status">
          {change.isPending ? "Saving…" : change.isSuccess ? "Saved: in force for the next request." : "Users, keys and requests can only tighten it."}
        </Text>
      </Group>
    </Stack>
  );
}

/** Savings advice: what the last 30 days could have cost less by, with money, evidence, assumptions and a way to try. */
import { Badge, Group, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { Savings } from "@/api/types";
import { RequestsLink } from "@/features/usage/RequestsLink";
import { dateOnly, estimatedPart, money, moneyExact, plural } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { Panel } from "@/ui/Panel";
import { PathLink } from "@/ui/PathLink";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";

import { savingsQuery } from "./queries";

type Advice = Savings["advice"][number];

const KINDS: Record<Advice["kind"], string> = {
  cheaper_model: "Cheaper model of equal score",
  caching: "Prompt caching loses money",
  caching_would_pay: "Prompt caching would pay",
  duplicates: "Duplicate requests",
  unused_key: "Key that nobody uses",
};

export function SavingsPage() {
  const savings = useQuery(savingsQuery);
  const { data } = savings;
  return (
    <>
      <PageHeader
        title="Savings"
        description="What the last 30 days could have cost less by: only what the ledger shows, with what is assumed. Nothing is changed by itself."
      />
      <Stack gap="lg">
        <StaleNotice query={savings} />
        {savings.isError && !data && (
          <ProblemAlert
            error={asApiError(savings.error)}
            title="The advice could not be loaded"
            onRetry={() => void savings.refetch()}
          />
        )}
        {savings.isPending && <Skeleton height={260} />}
        {data && (
          <Panel
            title="Advice"
            description={data.calls === 0 ? undefined : `From ${plural(data.calls, "request")} for ${money(data.cost_usd)}${data.estimated_share > 0 ? ` (${estimatedPart(data.estimated_share)})` : ""} since ${dateOnly(data.from_at)}. Two pieces of advice may be about the same requests, so they do not add up.`}
          >
            {data.advice.length === 0 ? (
              <EmptyState title={data.calls === 0 ? "No requests in the last 30 days" : "Nothing to save that can be shown"}>
                {data.calls === 0
                  ? "Advice comes from real traffic."
                  : "No model of equal score was cheaper, caching lost nothing and would have won nothing, and nothing was sent twice, as far as the ledger knows."}
              </EmptyState>
            ) : (
              <Stack component="ul" gap={0} m={0} p={0} style={{ listStyle: "none" }} aria-label="Advice">
                {data.advice.map((advice) => (
                  <AdviceItem key={`${advice.kind} ${advice.subject} ${advice.text}`} advice={advice} />
                ))}
              </Stack>
            )}
          </Panel>
        )}
        {data && data.unsure.length > 0 && (
          <Panel title="Not Enough Evidence" description="Where something might be saved, and what is missing to say so.">
            <Stack component="ul" gap="sm" m={0} p={0} style={{ listStyle: "none" }} aria-label="Not enough evidence">
              {data.unsure.map((one) => (
                <li key={`${one.subject} ${one.text}`}>
                  <Text size="sm" fw={560}>
                    {one.subject}
                  </Text>
                  <Text size="sm" c="dimmed">
                    {one.text}
                  </Text>
                </li>
              ))}
            </Stack>
          </Panel>
        )}
      </Stack>
    </>
  );
}

function AdviceItem({ advice }: { advice: Advice }) {
  return (
    <Group
      component="li"
      aria-label={`${KINDS[advice.kind]}: ${advice.subject}`}
      align="flex-start"
      gap="4px 24px"
      py="md"
      style={{ borderTop: "1px solid var(--oc-hairline)" }}
    >
      <Stack gap={0} w={96} style={{ flexShrink: 0 }}>
        <Text
          className="oc-figures"
          fz={20}
          fw={640}
          lh={1.3}
          title={advice.saving_usd === null ? undefined : moneyExact(advice.saving_usd)}
        >
          {advice.saving_usd === null ? "–" : money(advice.saving_usd)}
        </Text>
        <Text size="xs" c="dimmed">
          {advice.saving_usd === null ? "no money" : "in 30 days"}
        </Text>
      </Stack>
      <Stack gap={4} miw={0} flex="1 1 260px">
        <Group gap="sm">
          <Text fw={560} size="sm">
            {advice.subject}
          </Text>
          <Badge>{KINDS[advice.kind]}</Badge>
        </Group>
        <Text size="sm">{advice.text}</Text>
        <Text size="xs" c="dimmed">
          {advice.assumption}
        </Text>
        <Group gap="4px 16px">
          <PathLink path={advice.path}>{advice.action}</PathLink>
          {advice.requests !== null && (
            <RequestsLink requests={advice.requests} underline="always">
              {advice.kind === "duplicates" ? "Requests of this key" : plural(advice.calls, "request")}
            </RequestsLink>
          )}
        </Group>
      </Stack>
    </Group>
  );
}

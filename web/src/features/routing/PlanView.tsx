/** A plan: who is asked in which order, who is not and why, and what that was decided by. */
import { Alert, Box, Group, Stack, Table, Text, Title } from "@mantine/core";
import { useId } from "react";

import type { ExcludedTarget, PlannedTarget, RoutePlan } from "@/api/types";
import { countExact, duration, money, moneyExact, plural, score } from "@/format/format";
import { Sideways } from "@/ui/Sideways";

import { levelLabel, strategyLabel } from "./strategies";

interface PlanViewProps {
  plan: RoutePlan;
  /** Whether it was followed, or is what would happen now. */
  past?: boolean;
}

export function PlanView({ plan, past = false }: PlanViewProps) {
  return (
    <Stack gap="md">
      {plan.error && (
        <Alert color="yellow" title={past ? "Nobody could be asked" : "Nobody would be asked"} role="note">
          {plan.error.message}
        </Alert>
      )}
      <Decision plan={plan} />
      <Targets plan={plan} past={past} />
      <Excluded plan={plan} />
    </Stack>
  );
}

/** The request as routing saw it. */
function Decision({ plan }: { plan: RoutePlan }) {
  const wishes = Object.entries(plan.wishes);
  const facts: [string, string][] = [
    ["Asked for", plan.model || "no model"],
    ["Chosen by", chooser(plan)],
  ];
  if (plan.input_tokens !== null) facts.push(["Input", `about ${countExact(plan.input_tokens)} tokens`]);
  if (plan.output_tokens !== null) {
    const most = plan.max_output_tokens === null ? "" : `, at most ${countExact(plan.max_output_tokens)} asked for`;
    facts.push(["Expected answer", `${countExact(plan.output_tokens)} tokens${most}`]);
  }
  if (plan.needs.length > 0) facts.push(["Needs", plan.needs.join(", ").replaceAll("_", " ")]);
  if (wishes.length > 0) {
    facts.push(["The request's wishes", wishes.map(([name, value]) => `${name}: ${said(value)}`).join(" · ")]);
  }
  if (plan.routing_version > 0) facts.push(["Routing rules", `version ${plan.routing_version}`]);
  return (
    <Group gap="lg" component="dl" m={0}>
      {facts.map(([name, value]) => (
        <Box key={name} miw={0}>
          <Text component="dt" size="xs" c="dimmed">
            {name}
          </Text>
          <Text component="dd" m={0} size="sm" className="oc-figures" style={{ overflowWrap: "anywhere" }}>
            {value}
          </Text>
        </Box>
      ))}
    </Group>
  );
}

function chooser(plan: RoutePlan): string {
  if (plan.strategy === null) return plan.targets.length > 0 ? "the caller, who named a model" : "nobody";
  const strategy = strategyLabel(plan.strategy);
  return plan.power_level === null ? `the strategy ${strategy}` : `the power level ${levelLabel(plan.power_level)} (${strategy})`;
}

function said(value: unknown): string {
  return Array.isArray(value) ? value.join(", ") : String(value);
}

function Targets({ plan, past }: { plan: RoutePlan; past: boolean }) {
  const heading = useId();
  if (plan.targets.length === 0) return null;
  const withValue = plan.targets.some((target) => target.value !== null);
  const reasons = new Set(plan.targets.map((target) => target.reason));
  const oneReason = plan.targets.length > 1 && reasons.size === 1 ? plan.targets[0]?.reason : undefined;
  const measured = plan.targets.some((target) => target.expected_seconds !== null);
  return (
    <section aria-labelledby={heading}>
      <Title order={3} id={heading} fz="sm" mb={6}>
        {past ? "Order in which they were to be asked" : "Asked in this order, until one answers"}
        {oneReason && `: ${oneReason}`}
      </Title>
      <Sideways label="Targets" width={560}>
        <Table fz="sm" verticalSpacing={6} withTableBorder aria-labelledby={heading}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={32}>#</Table.Th>
              <Table.Th>{oneReason ? "Model" : "Model and why"}</Table.Th>
              <Table.Th ta="right">Priority</Table.Th>
              <Table.Th ta="right">Per 1M in / out</Table.Th>
              <Table.Th ta="right">This request</Table.Th>
              {measured && <Table.Th ta="right">Answer in</Table.Th>}
              <Table.Th ta="right">{withValue && plan.strategy === "balanced" ? "Score · balance" : "Score"}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {plan.targets.map((target, place) => (
              <Table.Tr key={`${target.model_id} ${target.credential}`}>
                <Table.Td className="oc-figures">{place + 1}</Table.Td>
                <Table.Td>
                  <Name target={target} />
                  {!oneReason && (
                    <Text size="xs" c="dimmed">
                      {target.reason}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td ta="right" className="oc-figures">
                  {target.priority}
                </Table.Td>
                <Table.Td ta="right" className="oc-figures" style={{ whiteSpace: "nowrap" }}>
                  {target.input_mtok === null ? "unknown" : `${money(target.input_mtok)} / ${money(target.output_mtok)}`}
                </Table.Td>
                <Table.Td
                  ta="right"
                  className="oc-figures"
                  title={target.expected_cost_usd === null ? undefined : moneyExact(target.expected_cost_usd)}
                >
                  {money(target.expected_cost_usd)}
                </Table.Td>
                {measured && (
                  <Table.Td ta="right" className="oc-figures" style={{ whiteSpace: "nowrap" }}>
                    {target.expected_seconds === null ? "not measured" : duration(target.expected_seconds * 1000)}
                  </Table.Td>
                )}
                <Table.Td ta="right" className="oc-figures" style={{ whiteSpace: "nowrap" }}>
                  {target.score === null ? "none" : score(target.score)}
                  {withValue && plan.strategy === "balanced" && target.value !== null && ` · ${target.value.toFixed(3)}`}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Sideways>
    </section>
  );
}

function Name({ target }: { target: PlannedTarget | ExcludedTarget }) {
  return (
    <Text size="sm" style={{ overflowWrap: "anywhere" }}>
      {target.model}{" "}
      <Text component="span" inherit c="dimmed">
        at {target.provider}
      </Text>
    </Text>
  );
}

/** Those left out, together by their reason: one long list would hide what matters. */
function Excluded({ plan }: { plan: RoutePlan }) {
  const heading = useId();
  if (plan.excluded_total === 0) return null;
  const groups = new Map<string, ExcludedTarget[]>();
  for (const one of plan.excluded) groups.set(one.reason, [...(groups.get(one.reason) ?? []), one]);
  const untold = plan.excluded_total - plan.excluded.length;
  return (
    <section aria-labelledby={heading}>
      <Title order={3} id={heading} fz="sm" mb={6}>
        Left out, and why
      </Title>
      <Stack gap={8} component="ul" m={0} p={0} style={{ listStyle: "none" }}>
        {[...groups].map(([reason, targets]) => (
          <li key={reason}>
            <Text size="sm">
              {plural(targets.length, "model")}: {reason}
              {targets[0]?.momentary ? " (at that moment)" : ""}
            </Text>
            <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
              {targets
                .slice(0, SHOWN)
                .map((target) => `${target.model} at ${target.provider}`)
                .join(" · ")}
              {targets.length > SHOWN && ` and ${targets.length - SHOWN} more`}
            </Text>
          </li>
        ))}
        {untold > 0 && (
          <Text component="li" size="sm" c="dimmed">
            {groups.size > 0 ? `${plural(untold, "further model")}` : plural(untold, "model")} that ranked lower or are not
            listed one by one
          </Text>
        )}
      </Stack>
    </section>
  );
}

const SHOWN = 6;

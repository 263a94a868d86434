/** Routing Strategy: three choices, saved at once, each with what it aims at, what it cost, and what it picks now. */
import { Anchor, Collapse, Group, Paper, Radio, Skeleton, Stack, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconChevronRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";

import { asApiError } from "@/api/request";
import type { RoutingRules, Strategy } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { pricePerMtok } from "@/format/format";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";

import { PicksNow } from "./PicksNow";
import { routingQuery, useChangeStrategy } from "./queries";
import classes from "./RoutingPanel.module.css";
import { RulesForm } from "./RulesForm";
import { STRATEGIES, strategyLabel } from "./strategies";
import { TryRoutingButton } from "./TryRoutingButton";

export function RoutingPanel() {
  const rules = useQuery(routingQuery);
  const change = useChangeStrategy();
  const writes = useMay("write gateway");
  // The choice shows at once and falls back to what is in force when it could not be saved.
  const [chosen, setChosen] = useState<Strategy | null>(null);
  const inForce = rules.data?.strategy;
  const choose = (strategy: Strategy): void => {
    setChosen(strategy);
    change.mutate(strategy, { onSettled: () => setChosen(null) });
  };
  return (
    <Panel
      title="Routing Strategy"
      description="Which model serves a request that names none. Saved as soon as you choose."
      controls={
        <Group gap="sm">
          <Anchor component={Link} to="/admin/time-machine" size="xs">
            Time Machine
          </Anchor>
          <TryRoutingButton size="xs" />
        </Group>
      }
    >
      <Stack gap="sm">
        <Text size="xs" c="dimmed" role="status" className={classes.status}>
          {change.isPending && "Saving…"}
          {change.isSuccess && `Saved: ${strategyLabel(change.data.strategy)} is in force now.`}
          {change.isError && `Not saved: ${asApiError(change.error).message}`}
        </Text>
        <StaleNotice query={rules} />
        {rules.isError && !rules.data && (
          <ProblemAlert
            error={asApiError(rules.error)}
            title="The routing strategy could not be loaded"
            onRetry={() => void rules.refetch()}
          />
        )}
        {rules.isPending && STRATEGIES.map(({ value }) => <Skeleton key={value} height={92} />)}
        {rules.data && (
          <Radio.Group
            aria-label="Routing strategy"
            name="strategy"
            value={chosen ?? inForce}
            onChange={(value) => choose(value as Strategy)}
          >
            <div className={classes.options}>
              {STRATEGIES.map((strategy) => (
                <Option
                  key={strategy.value}
                  strategy={strategy}
                  rules={rules.data}
                  disabled={!writes}
                  checked={(chosen ?? inForce) === strategy.value}
                />
              ))}
            </div>
          </Radio.Group>
        )}
        {rules.data && <MoreRules rules={rules.data} disabled={!writes} />}
      </Stack>
    </Panel>
  );
}

function MoreRules({ rules, disabled }: { rules: RoutingRules; disabled: boolean }) {
  const [opened, { toggle }] = useDisclosure(false);
  const region = useId();
  return (
    <div>
      <UnstyledButton onClick={toggle} aria-expanded={opened} aria-controls={region} fz="sm" fw={560} py={4}>
        <Group gap={4}>
          <IconChevronRight size={14} style={{ transform: opened ? "rotate(90deg)" : undefined }} aria-hidden />
          Weights and other rules
        </Group>
      </UnstyledButton>
      <Collapse expanded={opened} id={region}>
        <div className={classes.rules}>
          <RulesForm rules={rules} disabled={disabled} />
        </div>
      </Collapse>
    </div>
  );
}

interface OptionProps {
  strategy: (typeof STRATEGIES)[number];
  rules: RoutingRules;
  checked: boolean;
  disabled: boolean;
}

function Option({ strategy, rules, checked, disabled }: OptionProps) {
  const details = useId();
  const { target_usd_mtok, measured_usd_mtok, models } = rules.strategies[strategy.value];
  return (
    <Paper component="label" p="sm" className={classes.option} data-checked={checked || undefined}>
      <Group wrap="nowrap" align="flex-start" gap="sm">
        <Radio
          value={strategy.value}
          aria-label={strategy.label}
          aria-describedby={details}
          disabled={disabled}
          mt={2}
        />
        <Stack gap={4} flex={1} miw={0}>
          <Group justify="space-between" gap={4}>
            <Text fw={560} size="sm">
              {strategy.label}
            </Text>
            <Text size="xs" c="dimmed">
              {strategy.bestFor}
            </Text>
          </Group>
          <Stack gap={4} id={details}>
            <Text size="xs" c="dimmed">
              {strategy.meaning}
            </Text>
            <Text size="xs" className="oc-figures">
              Target {pricePerMtok(target_usd_mtok)} · measured{" "}
              {measured_usd_mtok === null ? "nothing yet" : `${pricePerMtok(measured_usd_mtok)} over 30 days`}
            </Text>
            <PicksNow models={models} />
          </Stack>
        </Stack>
      </Group>
    </Paper>
  );
}

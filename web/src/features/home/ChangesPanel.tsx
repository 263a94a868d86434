/** What changed against the same span before, and what moved it: by every dimension, in figures that add up. */
import { Box, Group, SegmentedControl, Select, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useId, useState } from "react";

import type { Dimension, Home, HomeSpan } from "@/api/types";
import { SPANS } from "@/app/search";
import { RequestsLink } from "@/features/usage/RequestsLink";
import { DIMENSION_LABELS, figure, METRIC_LABELS, valueLabel } from "@/features/usage/words";
import { absoluteTime, change as changeWords } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { Panel } from "@/ui/Panel";

import { signed, sentence } from "./words";

type Changed = Home["changed"];
type Change = Changed["changes"][number];
type MovedBy = Change["moved_by"][number];

interface ChangesPanelProps {
  changed: Changed;
  isStale: boolean;
  onSpan: (span: HomeSpan) => void;
}

export function ChangesPanel({ changed, isStale, onSpan }: ChangesPanelProps) {
  return (
    <Panel
      title="What changed?"
      description={
        <span title={`From ${absoluteTime(changed.from_at)} to ${absoluteTime(changed.to_at)}`}>
          The last {SPANS.find((span) => span.value === changed.span)?.label} against as long before, and what moved it
          most.
        </span>
      }
      controls={
        <SegmentedControl
          size="xs"
          aria-label="Span"
          data={SPANS.map(({ value, label }) => ({ value, label }))}
          value={changed.span}
          onChange={(value) => onSpan(value)}
        />
      }
    >
      {changed.has_baseline ? (
        <SimpleGrid cols={{ base: 1, md: 3 }} spacing="xl" style={{ opacity: isStale ? 0.6 : 1 }}>
          {changed.changes.map((change) => (
            <OneChange key={change.metric} change={change} />
          ))}
        </SimpleGrid>
      ) : (
        <EmptyState title="Nothing to compare with yet">
          The gateway has no request from before this span. Choose a shorter one, or come back later.
        </EmptyState>
      )}
    </Panel>
  );
}

function OneChange({ change }: { change: Change }) {
  const id = useId();
  const [chosen, setChosen] = useState<Dimension | null>(null);
  const dimension = chosen ?? change.mostly ?? "model";
  const moved = change.moved_by.find((one) => one.dimension === dimension);
  const label = METRIC_LABELS[change.metric];
  return (
    <Box component="article" aria-labelledby={id} miw={0}>
      <Group justify="space-between" align="flex-end" gap="xs">
        <div>
          <Title order={3} id={id} fz={13} fw={500} c="dimmed">
            {label}
          </Title>
          <Group gap={8} align="baseline">
            <RequestsLink
              requests={change.requests}
              c="var(--mantine-color-text)"
              className="oc-figures"
              fz={22}
              fw={640}
              title={figure(change.now, change.unit, true)}
            >
              {figure(change.now, change.unit)}
            </RequestsLink>
            <Text size="sm" className="oc-figures" title={signed(change.change, change.unit, true)}>
              {signed(change.change, change.unit)}
              {change.change_pct !== null && ` (${changeWords(change.change_pct)})`}
            </Text>
          </Group>
        </div>
        <Select
          size="xs"
          w={118}
          aria-label={`${label}: moved by`}
          allowDeselect={false}
          data={change.moved_by.map((one) => ({ value: one.dimension, label: DIMENSION_LABELS[one.dimension] }))}
          value={dimension}
          onChange={(value) => setChosen(change.moved_by.find((one) => one.dimension === value)?.dimension ?? null)}
        />
      </Group>
      <Text size="sm" c="dimmed" mt={4} mih={{ md: 42 }}>
        {sentence(change)}
      </Text>
      {moved && <Movers change={change} moved={moved} />}
    </Box>
  );
}

function Movers({ change, moved }: { change: Change; moved: MovedBy }) {
  const most = Math.max(...moved.movers.map((mover) => Math.abs(mover.change)), Math.abs(moved.others_change));
  if (moved.movers.length === 0) {
    return (
      <Text size="sm" c="dimmed" mt="xs">
        Nothing moved.
      </Text>
    );
  }
  return (
    <Stack component="ul" gap={8} m={0} mt="xs" p={0} style={{ listStyle: "none" }}>
      {moved.movers.map((mover) => (
        <li key={mover.value ?? ""}>
          <Group justify="space-between" gap="xs" wrap="nowrap">
            <RequestsLink requests={mover.requests} truncate>
              {valueLabel(moved.dimension, mover.value, mover.name)}
            </RequestsLink>
            <Text
              size="sm"
              className="oc-figures"
              style={{ whiteSpace: "nowrap" }}
              title={`${figure(mover.before, change.unit, true)} before, ${figure(mover.now, change.unit, true)} now`}
            >
              {signed(mover.change, change.unit)}
            </Text>
          </Group>
          <Bar amount={mover.change} most={most} />
        </li>
      ))}
      {moved.others > 0 && (
        <li>
          <Group justify="space-between" gap="xs" wrap="nowrap">
            <Text size="sm" c="dimmed">
              {moved.others === 1 ? "1 other" : `${moved.others} others`}
            </Text>
            <Text size="sm" className="oc-figures">
              {signed(moved.others_change, change.unit)}
            </Text>
          </Group>
          <Bar amount={moved.others_change} most={most} />
        </li>
      )}
    </Stack>
  );
}

/** More goes to the right of the middle, less to its left; the figure beside it carries the meaning. */
function Bar({ amount, most }: { amount: number; most: number }) {
  const width = most ? (Math.abs(amount) / most) * 50 : 0;
  return (
    <Box aria-hidden h={4} mt={3} bg="var(--oc-hover)" style={{ position: "relative", borderRadius: 2 }}>
      <Box
        h={4}
        bg={amount >= 0 ? "brand.6" : "gray.5"}
        style={{
          position: "absolute",
          borderRadius: 2,
          width: `${width}%`,
          left: amount >= 0 ? "50%" : `${50 - width}%`,
        }}
      />
    </Box>
  );
}

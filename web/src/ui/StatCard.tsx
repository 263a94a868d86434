/** One figure: its heading, the number with the exact one in a tooltip, a sparkline, and a line beneath. */
import { Box, Group, Paper, Skeleton, Text, Title, Tooltip } from "@mantine/core";
import { useId, type ReactNode } from "react";

import { Sparkline } from "./Sparkline";

interface StatCardProps {
  title: string;
  /** What is shown; undefined while it loads. */
  value: string | undefined;
  /** The exact number and when it was computed. */
  exact?: string;
  series?: number[];
  footer?: ReactNode;
}

export function StatCard({ title, value, exact, series, footer }: StatCardProps) {
  const id = useId();
  return (
    <Paper role="group" aria-labelledby={id} p="md" bg="var(--oc-surface)" mih={116}>
      <Title order={2} id={id} fz={13} fw={500} c="dimmed">
        {title}
      </Title>
      {value === undefined ? (
        <>
          <Skeleton height={26} width={90} mt={8} mb={14} />
          <Skeleton height={12} width={140} />
        </>
      ) : (
        <>
          <Group justify="space-between" align="flex-end" wrap="nowrap" gap="xs" mt={2} mb={6}>
            <Tooltip label={exact} disabled={!exact}>
              <Text className="oc-figures" fz={26} fw={640} lh={1.3} tabIndex={exact ? 0 : undefined} role={exact ? "note" : undefined} style={{ whiteSpace: "nowrap" }}>
                {value}
              </Text>
            </Tooltip>
            {series && (
              <Box miw={0} style={{ overflow: "hidden" }}>
                <Sparkline values={series} />
              </Box>
            )}
          </Group>
          <Box>{footer}</Box>
        </>
      )}
    </Paper>
  );
}

/** A named region of a page: hairline, heading, optional controls on the right. */
import { Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useId, type ReactNode } from "react";

interface PanelProps {
  title: string;
  description?: ReactNode;
  controls?: ReactNode;
  children: ReactNode;
}

export function Panel({ title, description, controls, children }: PanelProps) {
  const id = useId();
  return (
    <Paper component="section" aria-labelledby={id} p="lg" bg="var(--oc-surface)" h="100%">
      <Group justify="space-between" align="flex-start" gap="sm" mb="md">
        <Stack gap={2}>
          <Title order={2} id={id}>
            {title}
          </Title>
          {description && (
            <Text c="dimmed" size="sm">
              {description}
            </Text>
          )}
        </Stack>
        {controls}
      </Group>
      {children}
    </Paper>
  );
}

/** A page's title, its one line of explanation, and its main action. */
import { Box, Group, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

interface PageHeaderProps {
  title: string;
  description?: ReactNode;
  action?: ReactNode;
}

export function PageHeader({ title, description, action }: PageHeaderProps) {
  return (
    <Group justify="space-between" align="flex-start" gap="sm" mb="lg">
      <title>{`${title} · Ops-Center`}</title>
      <Stack gap={2} flex="1 1 320px">
        <Title order={1}>{title}</Title>
        {description && (
          <Text c="dimmed" size="sm" maw={720} textWrap="balance">
            {description}
          </Text>
        )}
      </Stack>
      {action && <Box>{action}</Box>}
    </Group>
  );
}

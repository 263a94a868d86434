/** The frame of the pages before sign-in: the mark, a title, one card. */
import { Box, Paper, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

import { Mark } from "@/ui/Mark";

interface EntryPageProps {
  title: string;
  subtitle: string;
  children: ReactNode;
}

export function EntryPage({ title, subtitle, children }: EntryPageProps) {
  return (
    <Box component="main" mih="100dvh" px="md" py={72}>
      <title>{`${title} · Ops-Center`}</title>
      <Stack maw={400} mx="auto" gap="lg">
        <Stack gap={12} align="center">
          <Mark size={40} />
          <Stack gap={4} align="center">
            <Title order={1} ta="center">
              {title}
            </Title>
            <Text c="dimmed" ta="center" size="sm" textWrap="balance">
              {subtitle}
            </Text>
          </Stack>
        </Stack>
        <Paper p="lg" bg="var(--oc-surface)">
          {children}
        </Paper>
      </Stack>
    </Box>
  );
}

/** Nothing here yet, and what to do about it. */
import { Button, Center, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";

interface EmptyStateProps {
  title: string;
  children?: ReactNode;
  /** What helps: "Add the first team". */
  action?: { label: string; onClick: () => void };
}

export function EmptyState({ title, children, action }: EmptyStateProps) {
  return (
    <Center py={40} px="md">
      <Stack align="center" gap={6} maw={440}>
        <Text fw={560} ta="center">
          {title}
        </Text>
        {children && (
          <Text c="dimmed" size="sm" ta="center" textWrap="balance" component="div">
            {children}
          </Text>
        )}
        {action && (
          <Button mt={8} variant="light" onClick={action.onClick}>
            {action.label}
          </Button>
        )}
      </Stack>
    </Center>
  );
}

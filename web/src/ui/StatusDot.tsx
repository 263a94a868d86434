/** A coloured dot that always stands with its word. */
import { Box, Group, Text, Tooltip } from "@mantine/core";

interface StatusDotProps {
  color: "green" | "yellow" | "red" | "gray";
  label: string;
  /** Why, as a sentence. */
  reason?: string | null;
  /** A name rather than a word: it may take several lines. */
  wraps?: boolean;
}

export function StatusDot({ color, label, reason, wraps = false }: StatusDotProps) {
  return (
    <Tooltip label={reason} disabled={!reason}>
      <Group gap={6} wrap="nowrap" align={wraps ? "baseline" : "center"} tabIndex={reason ? 0 : undefined} role={reason ? "note" : undefined}>
        <Box w={8} h={8} bg={`${color}.${color === "gray" ? 5 : 6}`} style={{ borderRadius: "50%", flexShrink: 0 }} />
        <Text size="xs" style={{ whiteSpace: wraps ? "normal" : "nowrap" }}>
          {label}
        </Text>
      </Group>
    </Tooltip>
  );
}

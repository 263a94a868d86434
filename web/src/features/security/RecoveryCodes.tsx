/** Recovery codes, shown this once. */
import { Alert, Button, Code, Group, Stack } from "@mantine/core";

import { CopyButton } from "@/ui/CopyButton";

export function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  return (
    <Stack gap="md">
      <Alert color="yellow" role="note">
        Keep these recovery codes where you find them without your phone. Each signs you in once; they are shown only now.
      </Alert>
      <Code block fz="sm" data-testid="recovery-codes">
        {codes.join("\n")}
      </Code>
      <Group justify="flex-end">
        <CopyButton text={codes.join("\n")} label="Copy Codes" size="sm" />
        <Button onClick={onDone}>I have kept them</Button>
      </Group>
    </Stack>
  );
}

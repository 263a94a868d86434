/** The secret, shown this once, with the first request ready to copy. */
import { Alert, Button, Code, Group, Modal, Stack, Text } from "@mantine/core";

import type { NewApiKey } from "@/api/types";
import { CopyButton } from "@/ui/CopyButton";

import { Snippets } from "./Snippets";

interface SecretDialogProps {
  fresh: NewApiKey | null;
  onClose: () => void;
}

export function SecretDialog({ fresh, onClose }: SecretDialogProps) {
  return (
    <Modal
      opened={fresh !== null}
      onClose={onClose}
      title={fresh && `Key ${fresh.name}`}
      size={640}
      closeOnClickOutside={false}
      closeOnEscape={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {fresh && (
        <Stack gap="md">
          <Alert color="yellow" role="note">
            Copy it now: it is shown only this once, and we keep nothing that could show it again.
          </Alert>
          <Group gap="sm">
            <Code fz="sm" flex="1 1 260px" p="sm" style={{ overflowWrap: "anywhere" }} data-testid="secret">
              {fresh.secret}
            </Code>
            <CopyButton text={fresh.secret} label="Copy Key" data-autofocus />
          </Group>
          <Text size="sm" fw={560}>
            The first request
          </Text>
          <Snippets secret={fresh.secret} />
          <Group justify="flex-end">
            <Button onClick={onClose}>I have copied it</Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

/** The list of keys, opened by `?`. */
import { Group, Kbd, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure, useWindowEvent } from "@mantine/hooks";

import { OPEN_KEYBOARD_HELP } from "./events";

const KEYS: [string[], string][] = [
  [["Ctrl", "K"], "Search and commands"],
  [["/"], "Focus the search field of the page"],
  [["Esc"], "Close what is open"],
  [["Enter"], "Submit a form"],
  [["?"], "This list"],
];

export function KeyboardHelp() {
  const [opened, { open, close }] = useDisclosure(false);
  useWindowEvent(OPEN_KEYBOARD_HELP, open);
  return (
    <Modal opened={opened} onClose={close} title="Keyboard Shortcuts" closeButtonProps={{ "aria-label": "Close" }}>
      <Stack gap="xs">
        {KEYS.map(([keys, meaning]) => (
          <Group key={meaning} justify="space-between">
            <Text size="sm">{meaning}</Text>
            <Group gap={4}>
              {keys.map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </Group>
          </Group>
        ))}
      </Stack>
    </Modal>
  );
}

/** From page to page of a list that is read by cursor, newest first; nothing where all of it is shown. */
import { Button, Group } from "@mantine/core";
import { IconArrowRight } from "@tabler/icons-react";

interface PagerProps {
  cursor: string | undefined;
  next: string | null | undefined;
  onOpen: (cursor: string | undefined) => void;
}

export function Pager({ cursor, next, onOpen }: PagerProps) {
  if (!cursor && !next) return null;
  return (
    <Group justify="flex-end">
      {cursor && (
        <Button variant="default" size="xs" onClick={() => onOpen(undefined)}>
          Newest
        </Button>
      )}
      <Button
        variant="default"
        size="xs"
        disabled={!next}
        rightSection={<IconArrowRight size={14} />}
        onClick={() => onOpen(next ?? undefined)}
      >
        Older
      </Button>
    </Group>
  );
}

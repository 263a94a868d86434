/** What narrows a list: rows of fields where there is room, else one button that says how many are used. */
import { Button, Group, SimpleGrid, Stack } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconChevronDown, IconChevronUp } from "@tabler/icons-react";
import { useId, useState, type ReactNode } from "react";

interface FiltersProps {
  /** How many of the fields are used, the search apart. */
  used: number;
  /** Undefined where nothing is narrowed. */
  onClear?: () => void;
  /** The field that stays in sight. */
  search?: ReactNode;
  /** What is needed less often stands behind a button of its own; how many of these are used. */
  more?: { used: number; fields: ReactNode };
  children: ReactNode;
}

export function Filters({ used, onClear, search, more, children }: FiltersProps) {
  const isNarrow = useMediaQuery("(max-width: 47.99em)", undefined, { getInitialValueInEffect: false });
  const [chosen, setChosen] = useState<boolean>();
  const id = useId();
  const inside = isNarrow ? used + (more?.used ?? 0) : (more?.used ?? 0);
  const isOpen = chosen ?? (!isNarrow && inside > 0);
  const button = (word: string) => (
    <Button
      variant="default"
      rightSection={isOpen ? <IconChevronUp size={14} /> : <IconChevronDown size={14} />}
      aria-expanded={isOpen}
      aria-controls={id}
      onClick={() => setChosen(!isOpen)}
    >
      {inside > 0 ? `${word} (${inside})` : word}
    </Button>
  );
  const clear = onClear && (
    <Button variant="subtle" onClick={onClear}>
      Clear Filters
    </Button>
  );
  if (isNarrow) {
    return (
      <Stack gap="sm" role="search" aria-label="Filters">
        {search && <Group>{search}</Group>}
        <Group gap="xs">
          {button("Filters")}
          {clear}
        </Group>
        <SimpleGrid id={id} cols={2} spacing="sm" verticalSpacing="xs" display={isOpen ? undefined : "none"}>
          {children}
          {more?.fields}
        </SimpleGrid>
      </Stack>
    );
  }
  if (!more) {
    return (
      <Group gap="sm" align="flex-end" role="search" aria-label="Filters">
        {search}
        {children}
        {clear}
      </Group>
    );
  }
  return (
    <Stack gap="xs" role="search" aria-label="Filters">
      <Group gap="sm" align="flex-end">
        {search}
        {button("More Filters")}
        {clear}
      </Group>
      <Group gap="sm" align="flex-end">
        {children}
      </Group>
      <Group id={id} gap="sm" align="flex-end" display={isOpen ? undefined : "none"}>
        {more.fields}
      </Group>
    </Stack>
  );
}

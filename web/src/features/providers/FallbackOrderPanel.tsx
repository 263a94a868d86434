/** The fallback order as a list to drag, which is the providers' priority: what stands higher is asked first. */
import {
  closestCenter,
  DndContext,
  KeyboardSensor,
  PointerSensor,
  useSensor,
  useSensors,
  type Announcements,
  type DragEndEvent,
  type UniqueIdentifier,
} from "@dnd-kit/core";
import {
  SortableContext,
  sortableKeyboardCoordinates,
  useSortable,
  verticalListSortingStrategy,
} from "@dnd-kit/sortable";
import { CSS } from "@dnd-kit/utilities";
import { ActionIcon, Badge, Group, NumberInput, Skeleton, Stack, Text } from "@mantine/core";
import { IconGripVertical } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { Provider } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { useDraft } from "@/ui/useDraft";

import classes from "./FallbackOrderPanel.module.css";
import { moved, HIGHEST, LOWEST } from "./priorities";
import { providersQuery, useSetPriorities } from "./queries";

export function FallbackOrderPanel() {
  const providers = useQuery(providersQuery);
  const writable = useMay("write gateway");
  const change = useSetPriorities();
  const listed = (providers.data ?? []).toSorted((a, b) => b.priority - a.priority || a.name.localeCompare(b.name));
  if (providers.data && listed.length < 2) return null;
  return (
    <Panel
      title="Fallback Order"
      description="Among providers that serve the same model, the highest is asked first and the next one when it fails; equal priorities share the load. Saved as soon as you drop."
    >
      <Text size="xs" role="status" c={change.isError ? "red" : "dimmed"} className={classes.status}>
        {change.isPending && "Saving…"}
        {change.isSuccess && "Saved: traffic follows this order now."}
        {change.isError && `Not saved: ${asApiError(change.error).message}`}
      </Text>
      {providers.isPending && <Skeleton height={160} />}
      {providers.isError && !providers.data && (
        <ProblemAlert
          error={asApiError(providers.error)}
          title="The providers could not be loaded"
          onRetry={() => void providers.refetch()}
        />
      )}
      {providers.data && (
        <Order providers={listed} writable={writable} onChange={(priorities) => change.mutate(priorities)} />
      )}
    </Panel>
  );
}

interface OrderProps {
  providers: Provider[];
  writable: boolean;
  onChange: (priorities: Record<string, number>) => void;
}

function Order({ providers, writable, onChange }: OrderProps) {
  const sensors = useSensors(
    useSensor(PointerSensor, { activationConstraint: { distance: 4 } }),
    useSensor(KeyboardSensor, { coordinateGetter: sortableKeyboardCoordinates }),
  );
  const place = (id: UniqueIdentifier): number => providers.findIndex((one) => one.id === id);
  const name = (id: UniqueIdentifier): string => providers[place(id)]?.name ?? "";
  const drop = ({ active, over }: DragEndEvent): void => {
    if (over === null || active.id === over.id) return;
    const priorities = moved(providers, place(active.id), place(over.id));
    if (Object.keys(priorities).length > 0) onChange(priorities);
  };
  const announcements: Announcements = {
    onDragStart: ({ active }) => `Picked up ${name(active.id)}, number ${place(active.id) + 1} of ${providers.length}.`,
    onDragOver: ({ active, over }) =>
      over ? `${name(active.id)} is at number ${place(over.id) + 1} of ${providers.length}.` : undefined,
    onDragEnd: ({ active, over }) => (over ? `${name(active.id)} was put at number ${place(over.id) + 1}.` : undefined),
    onDragCancel: ({ active }) => `${name(active.id)} stays where it was.`,
  };
  return (
    <DndContext
      sensors={sensors}
      collisionDetection={closestCenter}
      onDragEnd={drop}
      accessibility={{
        announcements,
        screenReaderInstructions: {
          draggable: "Press space to pick up, the arrow keys to move, space to drop, escape to leave it where it was.",
        },
      }}
    >
      <SortableContext items={providers.map((one) => one.id)} strategy={verticalListSortingStrategy}>
        <Stack component="ol" gap={6} m={0} p={0} style={{ listStyle: "none" }} aria-label="Fallback order">
          {providers.map((provider, number) => (
            <Row
              key={provider.id}
              provider={provider}
              number={number + 1}
              shares={providers.some((other) => other.id !== provider.id && other.priority === provider.priority)}
              writable={writable}
              onPriority={(priority) => onChange({ [provider.id]: priority })}
            />
          ))}
        </Stack>
      </SortableContext>
    </DndContext>
  );
}

interface RowProps {
  provider: Provider;
  number: number;
  shares: boolean;
  writable: boolean;
  onPriority: (priority: number) => void;
}

function Row({ provider, number, shares, writable, onPriority }: RowProps) {
  const { attributes, listeners, setNodeRef, setActivatorNodeRef, transform, transition, isDragging } = useSortable({
    id: provider.id,
    disabled: !writable,
  });
  return (
    <Group
      component="li"
      ref={setNodeRef}
      className={classes.row}
      data-dragging={isDragging || undefined}
      wrap="nowrap"
      gap="sm"
      style={{ transform: CSS.Translate.toString(transform), transition }}
    >
      {writable && (
        <ActionIcon
          ref={setActivatorNodeRef}
          variant="subtle"
          color="gray"
          className={classes.handle}
          {...attributes}
          {...listeners}
          aria-label={`Move ${provider.name}`}
        >
          <IconGripVertical size={16} />
        </ActionIcon>
      )}
      <Text size="sm" c="dimmed" className="oc-figures" w={18} ta="right">
        {number}
      </Text>
      <Text size="sm" fw={560} flex={1} miw={0} truncate>
        {provider.name}
      </Text>
      <Group gap={6} visibleFrom="sm" wrap="nowrap">
        {!provider.enabled && <Badge color="gray">Disabled</Badge>}
        {!provider.auto_fallback && <Badge color="gray">No fallback after it</Badge>}
        {shares && <Badge color="gray">Shares the load</Badge>}
      </Group>
      <Priority provider={provider} disabled={!writable} onPriority={onPriority} />
    </Group>
  );
}

/** The number itself, for who knows it or wants two to be equal. */
function Priority({ provider, disabled, onPriority }: { provider: Provider; disabled: boolean; onPriority: (priority: number) => void }) {
  const [value, setValue] = useDraft<number | string>(provider.priority);
  const valid = typeof value === "number" && value >= LOWEST && value <= HIGHEST;
  const save = (): void => {
    if (value === provider.priority) return;
    if (valid) onPriority(value);
    else setValue(provider.priority);
  };
  return (
    <NumberInput
      aria-label={`Priority of ${provider.name}`}
      size="xs"
      w={76}
      min={LOWEST}
      max={HIGHEST}
      allowDecimal={false}
      clampBehavior="none"
      disabled={disabled}
      error={valid ? null : true}
      value={value}
      onChange={setValue}
      onBlur={save}
      onKeyDown={(event) => {
        if (event.key === "Enter") save();
      }}
    />
  );
}

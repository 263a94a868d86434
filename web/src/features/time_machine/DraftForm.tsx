/** What a draft changes: strategy, weights, providers, power levels, aliases and models. */
import {
  ActionIcon,
  Button,
  Fieldset,
  Group,
  NumberInput,
  Select,
  Stack,
  Switch,
  TagsInput,
  Text,
  TextInput,
} from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { asApiError } from "@/api/request";
import type { PowerLevel, PowerLevelFigures, Provider, RoutingDraft, RoutingDraftChanges } from "@/api/types";
import { modelNamesQuery } from "@/features/models/queries";
import { powerLevelsQuery } from "@/features/power_levels/queries";
import { providersQuery } from "@/features/providers/queries";
import { routingQuery } from "@/features/routing/queries";
import { STRATEGIES } from "@/features/routing/strategies";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { useDraft } from "@/ui/useDraft";

import { foundModelsQuery, useSaveDraft } from "./queries";

type Changes = RoutingDraftChanges;
interface PartProps {
  changes: Changes;
  onChange: (changes: Changes) => void;
}

const numberOrNull = (value: number | string): number | null => (value === "" ? null : Number(value));

export function DraftForm({ draft, disabled }: { draft: RoutingDraft; disabled: boolean }) {
  const save = useSaveDraft(draft.id);
  const sent = save.isError ? undefined : save.variables;
  const [name, setName] = useDraft(draft.name, sent?.name);
  const [changes, setChanges] = useDraft<Changes>(draft.changes, sent?.changes);
  const dirty = name !== draft.name || JSON.stringify(changes) !== JSON.stringify(draft.changes);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!save.isPending) save.mutate({ name, changes });
  };
  const part = { changes, onChange: setChanges };
  return (
    <form onSubmit={submit}>
      <Fieldset variant="unstyled" disabled={disabled}>
        <Stack gap="lg">
          <TextInput label="Name" maxLength={100} value={name} onChange={(e) => setName(e.currentTarget.value)} />
          <Rules {...part} />
          <Providers {...part} />
          <Models {...part} known={draft.model_names} />
          <Aliases {...part} />
          <Levels {...part} />
          {save.isError && <ProblemAlert error={asApiError(save.error)} title="The draft was not saved" />}
          <Group justify="flex-end">
            <BusyButton type="submit" busy={save.isPending} disabled={!dirty || !name.trim()}>
              Save Draft
            </BusyButton>
          </Group>
        </Stack>
      </Fieldset>
    </form>
  );
}

function Rules({ changes, onChange }: PartProps) {
  const live = useQuery(routingQuery).data;
  const rules = changes.rules ?? {};
  const weights = rules.weights ?? null;
  const set = (to: Changes["rules"]): void => onChange({ ...changes, rules: { ...rules, ...to } });
  return (
    <Fieldset legend="Strategy" variant="unstyled">
      <Stack gap="sm">
        <Select
          aria-label="Strategy"
          data={[
            { value: "", label: "As it is live" },
            ...STRATEGIES.map(({ value, label }) => ({ value, label })),
          ]}
          value={rules.strategy ?? ""}
          allowDeselect={false}
          onChange={(value) => set({ strategy: STRATEGIES.find((one) => one.value === value)?.value ?? null })}
        />
        <Switch
          label="Other weights of Balanced"
          checked={weights !== null}
          onChange={(event) =>
            set({
              weights: event.currentTarget.checked ? (live?.weights ?? { price: 0.4, speed: 0.2, quality: 0.4 }) : null,
            })
          }
        />
        {weights && (
          <Group grow gap="xs">
            {(["price", "speed", "quality"] as const).map((each) => (
              <NumberInput
                key={each}
                label={each[0]?.toUpperCase() + each.slice(1)}
                min={0}
                max={1}
                step={0.05}
                decimalScale={2}
                value={weights[each]}
                onChange={(value) => set({ weights: { ...weights, [each]: Number(value) } })}
              />
            ))}
          </Group>
        )}
        {live && (
          <>
            <Switch
              label="The strategy replaces named models"
              checked={rules.replace_named ?? live.replace_named}
              onChange={({ currentTarget: { checked } }) =>
                set({ replace_named: checked === live.replace_named ? null : checked })
              }
            />
            <Switch
              label="Long prompts may move to a larger window"
              checked={rules.larger_window ?? live.larger_window}
              onChange={({ currentTarget: { checked } }) =>
                set({ larger_window: checked === live.larger_window ? null : checked })
              }
            />
            <NumberInput
              label="Retries"
              min={0}
              max={5}
              allowDecimal={false}
              clampBehavior="strict"
              value={rules.retries ?? live.retries}
              onChange={(value) =>
                typeof value === "number" && set({ retries: value === live.retries ? null : value })
              }
            />
          </>
        )}
      </Stack>
    </Fieldset>
  );
}

function Providers({ changes, onChange }: PartProps) {
  const providers = useQuery(providersQuery).data ?? [];
  const change = (provider: Provider, field: "enabled" | "priority" | "auto_fallback", value: boolean | number): void => {
    const { [provider.id]: before, ...others } = changes.providers ?? {};
    const after = { ...before, [field]: value === provider[field] ? null : value };
    const same = Object.values(after).every((each) => each === null || each === undefined);
    onChange({ ...changes, providers: same ? others : { ...others, [provider.id]: after } });
  };
  if (providers.length === 0) return null;
  return (
    <Fieldset legend="Providers" variant="unstyled">
      <Stack gap="xs">
        {providers.map((provider) => {
          const wanted = changes.providers?.[provider.id];
          return (
            <Group key={provider.id} justify="space-between" gap="sm">
              <Switch
                label={provider.name}
                checked={wanted?.enabled ?? provider.enabled}
                onChange={(event) => change(provider, "enabled", event.currentTarget.checked)}
              />
              <Group gap="sm" ml={{ base: 44, sm: "auto" }}>
                <Switch
                  size="xs"
                  label="Auto-fallback"
                  aria-label={`Auto-fallback of ${provider.name}`}
                  checked={wanted?.auto_fallback ?? provider.auto_fallback}
                  onChange={(event) => change(provider, "auto_fallback", event.currentTarget.checked)}
                />
                <NumberInput
                  aria-label={`Priority of ${provider.name}`}
                  prefix="Priority "
                  w={130}
                  size="xs"
                  min={1}
                  max={100}
                  clampBehavior="strict"
                  allowDecimal={false}
                  value={wanted?.priority ?? provider.priority}
                  onChange={(value) => typeof value === "number" && change(provider, "priority", value)}
                />
              </Group>
            </Group>
          );
        })}
      </Stack>
    </Fieldset>
  );
}

function Models({ changes, onChange, known }: PartProps & { known: Record<string, string> }) {
  const [search, setSearch] = useState("");
  const [asked] = useDebouncedValue(search, 200);
  const found = useQuery(foundModelsQuery(asked)).data ?? [];
  const [picked, setPicked] = useState<Record<string, string>>({});
  const label = (model: (typeof found)[number]): string => `${model.name} at ${model.provider_name}`;
  const switched = Object.entries(changes.models ?? {});
  return (
    <Fieldset legend="Models" variant="unstyled">
      <Stack gap="xs">
        {switched.map(([id, { enabled }]) => {
          const { [id]: _, ...others } = changes.models ?? {};
          const name = picked[id] ?? known[id] ?? id;
          return (
            <Group key={id} justify="space-between" gap="sm" wrap="nowrap">
              <Switch
                label={name}
                checked={enabled}
                onChange={(event) =>
                  onChange({ ...changes, models: { ...changes.models, [id]: { enabled: event.currentTarget.checked } } })
                }
              />
              <ActionIcon
                variant="subtle"
                aria-label={`Leave ${name} as it is live`}
                onClick={() => onChange({ ...changes, models: others })}
              >
                <IconX size={16} />
              </ActionIcon>
            </Group>
          );
        })}
        <Select
          aria-label="Switch a model"
          placeholder="Find a model to switch on or off"
          searchable
          searchValue={search}
          onSearchChange={setSearch}
          value={null}
          filter={({ options }) => options}
          nothingFoundMessage="No model of this name"
          data={found
            .filter((model) => !(model.id in (changes.models ?? {})))
            .map((model) => ({ value: model.id, label: `${label(model)}, ${model.enabled ? "enabled" : "disabled"} now` }))}
          onChange={(id) => {
            const model = found.find((one) => one.id === id);
            if (!model) return;
            setPicked({ ...picked, [model.id]: label(model) });
            onChange({ ...changes, models: { ...changes.models, [model.id]: { enabled: !model.enabled } } });
            setSearch("");
          }}
        />
      </Stack>
    </Fieldset>
  );
}

function Aliases({ changes, onChange }: PartProps) {
  const models = useQuery(modelNamesQuery).data ?? [];
  const [name, setName] = useState("");
  const aliases = changes.aliases ?? {};
  return (
    <Fieldset legend="Aliases" variant="unstyled">
      <Stack gap="xs">
        {Object.entries(aliases).map(([alias, candidates]) => {
          const { [alias]: _, ...others } = aliases;
          return (
            <Group key={alias} gap="xs" align="flex-end" wrap="nowrap">
              <TagsInput
                flex={1}
                label={alias}
                placeholder={candidates === null ? "Taken back" : "Models, the best first"}
                data={models}
                value={candidates ?? []}
                onChange={(value) =>
                  onChange({ ...changes, aliases: { ...aliases, [alias]: value.length > 0 ? value : null } })
                }
              />
              <ActionIcon
                variant="subtle"
                mb={6}
                aria-label={`Leave ${alias} as it is live`}
                onClick={() => onChange({ ...changes, aliases: others })}
              >
                <IconX size={16} />
              </ActionIcon>
            </Group>
          );
        })}
        <Group gap="xs" wrap="nowrap">
          <TextInput
            flex={1}
            aria-label="Alias"
            placeholder="Alias to make or change"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Button
            variant="default"
            leftSection={<IconPlus size={14} />}
            disabled={!name.trim() || name.trim() in aliases}
            onClick={() => {
              onChange({ ...changes, aliases: { ...aliases, [name.trim().toLowerCase()]: null } });
              setName("");
            }}
          >
            Add
          </Button>
        </Group>
        {Object.values(aliases).some((candidates) => candidates === null) && (
          <Text size="xs" c="dimmed">
            An alias without models is taken back: gone, or what it was when it came with Ops-Center.
          </Text>
        )}
      </Stack>
    </Fieldset>
  );
}

function Levels({ changes, onChange }: PartProps) {
  const live = useQuery(powerLevelsQuery).data;
  const models = useQuery(modelNamesQuery).data ?? [];
  const wanted = changes.power_levels ?? {};
  const set = (level: PowerLevel, to: Partial<PowerLevelFigures["rule"]>): void => {
    const rule = wanted[level] ?? live?.levels.find((one) => one.level === level)?.rule ?? {};
    onChange({ ...changes, power_levels: { ...wanted, [level]: { ...rule, ...to } } });
  };
  if (!live) return null;
  return (
    <Fieldset legend="Power levels" variant="unstyled">
      <Stack gap="xs">
        {live.levels.map((level) => {
          const rule = wanted[level.level] ?? level.rule;
          return (
            <Stack key={level.level} gap={4}>
              <TagsInput
                label={`${level.name}: models`}
                placeholder={rule.models?.length ? undefined : "All models"}
                data={models}
                limit={40}
                value={rule.models ?? []}
                onChange={(names) => set(level.level, { models: names })}
              />
              <Group grow gap="xs" align="flex-end">
                <NumberInput
                  label="Highest price"
                  aria-label={`${level.name}: highest price`}
                  placeholder="Any"
                  prefix="$"
                  min={0}
                  value={rule.max_usd_mtok ?? ""}
                  onChange={(value) => set(level.level, { max_usd_mtok: numberOrNull(value) })}
                />
                <NumberInput
                  label="Lowest score"
                  aria-label={`${level.name}: lowest score`}
                  placeholder="Any"
                  min={0}
                  max={100}
                  value={rule.min_score ?? ""}
                  onChange={(value) => set(level.level, { min_score: numberOrNull(value) })}
                />
              </Group>
            </Stack>
          );
        })}
        <Text size="xs" c="dimmed">
          Per 1M tokens, of three parts input and one part output.
        </Text>
      </Stack>
    </Fieldset>
  );
}

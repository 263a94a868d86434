/** Talk to the gateway as an application would, with a key of one's own, and see who answered and what it cost. */
import {
  Autocomplete,
  Button,
  Group,
  Modal,
  NumberInput,
  Paper,
  PasswordInput,
  Select,
  Stack,
  Switch,
  Text,
  Textarea,
} from "@mantine/core";
import { IconCode, IconPlayerStop, IconSend, IconTrash } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState, type KeyboardEvent } from "react";

import { asApiError } from "@/api/request";
import { KEY_PLACEHOLDER } from "@/features/api_keys/Snippets";
import { useMay } from "@/features/session/queries";
import { CopyButton } from "@/ui/CopyButton";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { Panel } from "@/ui/Panel";

import { ask, asCurl, type Message, type Question } from "./chat";
import classes from "./Playground.module.css";
import { modelNamesQuery, ownModelNamesQuery, playgroundKeyQuery } from "./queries";
import { Turn, type TurnState } from "./Turn";

const NO_LEVEL = "none";

interface Wishes {
  system: string;
  level: string;
  temperature: number | "";
  maxTokens: number | "";
  stream: boolean;
  /** Somebody's key to ask with instead of the playground's own. */
  otherKey: string;
}

const AT_FIRST: Wishes = { system: "", level: NO_LEVEL, temperature: "", maxTokens: "", stream: true, otherKey: "" };

function questionOf(model: string, wishes: Wishes, turns: TurnState[]): Question {
  const said: Message[] = turns
    .filter((turn) => turn.text !== "" && !turn.error)
    .map((turn) => ({ role: turn.role, content: turn.text }));
  return {
    model: model.trim() || "auto",
    messages: wishes.system.trim() ? [{ role: "system", content: wishes.system }, ...said] : said,
    stream: wishes.stream,
    ...(wishes.temperature === "" ? {} : { temperature: wishes.temperature }),
    ...(wishes.maxTokens === "" ? {} : { max_tokens: wishes.maxTokens }),
  };
}

export function PlaygroundPage() {
  const { model = "auto" } = useSearch({ from: "/signed-in/playground" });
  const navigate = useNavigate({ from: "/playground" });
  const [wishes, setWishes] = useState(AT_FIRST);
  const [turns, setTurns] = useState<TurnState[]>([]);
  const [draft, setDraft] = useState("");
  const [showCode, setShowCode] = useState(false);
  const [running, setRunning] = useState<AbortController | null>(null);
  const makesKeys = useMay("create keys");
  const otherKey = wishes.otherKey.trim();
  const queryClient = useQueryClient();
  const ready = makesKeys || otherKey !== "";
  const level = wishes.level === NO_LEVEL ? null : wishes.level;

  useEffect(() => () => running?.abort(), [running]);

  async function answer(asked: TurnState[]): Promise<void> {
    const control = new AbortController();
    const id = asked.length;
    const change = (what: (turn: TurnState) => TurnState): void =>
      setTurns((now) => now.map((turn) => (turn.id === id ? what(turn) : turn)));
    setTurns([...asked, { id, role: "assistant", text: "" }]);
    setRunning(control);
    try {
      const given = await ask(
        otherKey || (await queryClient.fetchQuery(playgroundKeyQuery)),
        questionOf(model, wishes, asked),
        level,
        (piece) => change((turn) => ({ ...turn, text: turn.text + piece })),
        control.signal,
      );
      change((turn) => ({ ...turn, answer: given }));
    } catch (error) {
      change((turn) => (control.signal.aborted ? { ...turn, stopped: true } : { ...turn, error: asApiError(error) }));
    } finally {
      setRunning(null);
    }
  }

  function send(): void {
    const text = draft.trim();
    if (!text || running || !ready) return;
    setDraft("");
    void answer([...turns, { id: turns.length, role: "user", text }]);
  }

  const code = asCurl(
    window.location.origin,
    KEY_PLACEHOLDER,
    questionOf(model, wishes, draft.trim() ? [...turns, { id: -1, role: "user", text: draft.trim() }] : turns),
    level,
  );
  return (
    <>
      <PageHeader
        title="Playground"
        description="Ask as an application would: the same key check, routing, limits and ledger. What you ask here costs what it says."
        action={
          <Group gap="xs">
            <Button variant="default" leftSection={<IconCode size={16} />} onClick={() => setShowCode(true)}>
              Show as curl
            </Button>
            <Button
              variant="default"
              leftSection={<IconTrash size={16} />}
              disabled={turns.length === 0 || running !== null}
              onClick={() => setTurns([])}
            >
              Clear
            </Button>
          </Group>
        }
      />
      <div className={classes.grid}>
        <Settings
          model={model}
          onModel={(name) => void navigate({ search: { model: name || undefined }, replace: true })}
          wishes={wishes}
          onChange={(change) => setWishes((now) => ({ ...now, ...change }))}
          otherKey={otherKey}
          makesKeys={makesKeys}
        />
        <Stack gap="md">
          {turns.length === 0 ? (
            <EmptyState title="Nothing asked yet">
              Choose a model or leave it to the strategy, and ask. Each answer says who gave it, how fast, and what it cost.
            </EmptyState>
          ) : (
            <ol className={classes.turns} aria-label="Conversation" aria-live="polite">
              {turns.map((turn) => (
                <Turn
                  key={turn.id}
                  turn={turn}
                  own={otherKey === ""}
                  running={running !== null && turn.id === turns.length - 1}
                  onRetry={
                    turn.id === turns.length - 1 && !running ? () => void answer(turns.slice(0, turn.id)) : undefined
                  }
                />
              ))}
            </ol>
          )}
          <Ask draft={draft} onDraft={setDraft} ready={ready} running={running} onSend={send} />
        </Stack>
      </div>
      <Modal opened={showCode} onClose={() => setShowCode(false)} title="The Next Request" size={720} closeButtonProps={{ "aria-label": "Close" }}>
        <Stack gap="sm">
          <pre className={classes.code} tabIndex={0} aria-label="curl example" role="region">
            {code}
          </pre>
          <Group justify="flex-end">
            <CopyButton text={code} />
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

interface SettingsProps {
  model: string;
  onModel: (name: string) => void;
  wishes: Wishes;
  onChange: (change: Partial<Wishes>) => void;
  otherKey: string;
  makesKeys: boolean;
}

function Settings({ model, onModel, wishes, onChange, otherKey, makesKeys }: SettingsProps) {
  const own = useQuery({ ...ownModelNamesQuery, enabled: otherKey === "" });
  const others = useQuery({ ...modelNamesQuery(otherKey), enabled: otherKey !== "" });
  return (
    <Panel title="Request">
      <Stack gap="sm">
        <Autocomplete
          label="Model"
          description="A model, an alias, auto, or a power level."
          data={(otherKey ? others : own).data ?? []}
          limit={60}
          maxDropdownHeight={320}
          value={model}
          onChange={onModel}
        />
        <Select
          label="Power level"
          allowDeselect={false}
          data={[
            { value: NO_LEVEL, label: "As the key and you have it" },
            { value: "eco", label: "Eco" },
            { value: "balanced", label: "Balanced" },
            { value: "precision", label: "Precision" },
          ]}
          value={wishes.level}
          onChange={(value) => onChange({ level: value ?? NO_LEVEL })}
        />
        <Textarea
          label="System prompt"
          autosize
          minRows={2}
          maxRows={8}
          value={wishes.system}
          onChange={(event) => onChange({ system: event.currentTarget.value })}
        />
        <Group grow gap="sm" align="flex-start">
          <NumberInput
            label="Temperature"
            min={0}
            max={2}
            step={0.1}
            decimalScale={2}
            placeholder="default"
            value={wishes.temperature}
            onChange={(value) => onChange({ temperature: typeof value === "number" ? value : "" })}
          />
          <NumberInput
            label="Max tokens"
            min={1}
            allowDecimal={false}
            placeholder="default"
            value={wishes.maxTokens}
            onChange={(value) => onChange({ maxTokens: typeof value === "number" ? value : "" })}
          />
        </Group>
        <Switch
          label="Stream"
          checked={wishes.stream}
          onChange={(event) => onChange({ stream: event.currentTarget.checked })}
        />
        <PasswordInput
          label="Another API key"
          description={
            makesKeys
              ? "Empty: a key of your own named Playground, made at the first question and good for a day."
              : "Your role makes no keys: paste one that somebody gave you."
          }
          placeholder="sk-oc-..."
          error={wishes.otherKey !== "" && others.data === null ? "No key has this secret, or it was revoked." : undefined}
          autoComplete="off"
          visibilityToggleButtonProps={{ "aria-label": "Show or hide the key", tabIndex: 0 }}
          value={wishes.otherKey}
          onChange={(event) => onChange({ otherKey: event.currentTarget.value })}
        />
      </Stack>
    </Panel>
  );
}

interface AskProps {
  draft: string;
  onDraft: (text: string) => void;
  ready: boolean;
  running: AbortController | null;
  onSend: () => void;
}

function Ask({ draft, onDraft, ready, running, onSend }: AskProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    onSend();
  }
  return (
    <Paper p="sm" bg="var(--oc-surface)">
      <Stack gap="xs">
        <Textarea
          ref={field}
          aria-label="Message"
          placeholder="Ask something"
          autosize
          minRows={2}
          maxRows={12}
          variant="unstyled"
          value={draft}
          onChange={(event) => onDraft(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <Group justify="space-between" gap="xs">
          <Text size="xs" c="dimmed">
            Enter sends, Shift+Enter makes a new line
          </Text>
          {running ? (
            <Button
              size="sm"
              variant="default"
              leftSection={<IconPlayerStop size={16} />}
              onClick={() => {
                running.abort();
                field.current?.focus();
              }}
            >
              Stop
            </Button>
          ) : (
            <Button size="sm" leftSection={<IconSend size={16} />} disabled={!ready || draft.trim() === ""} onClick={onSend}>
              Send
            </Button>
          )}
        </Group>
      </Stack>
    </Paper>
  );
}

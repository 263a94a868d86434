/** One question or answer of the conversation, and under an answer who gave it and what it cost. */
import { Anchor, Box, Group, Loader, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import type { ApiError } from "@/api/request";
import { useMay } from "@/features/session/queries";
import { countExact, duration } from "@/format/format";
import { CostCell } from "@/ui/CostCell";
import { ProblemAlert } from "@/ui/ProblemAlert";

import type { Answer } from "./chat";
import classes from "./Playground.module.css";
import { ownRequestQuery } from "./queries";

export interface TurnState {
  id: number;
  role: "user" | "assistant";
  text: string;
  answer?: Answer;
  error?: ApiError;
  stopped?: boolean;
}

interface TurnProps {
  turn: TurnState;
  running: boolean;
  /** The secret is of the user's own key, so the ledger tells its cost to them. */
  own: boolean;
  onRetry?: () => void;
}

export function Turn({ turn, running, own, onRetry }: TurnProps) {
  const asked = turn.role === "user";
  return (
    <Box component="li" className={asked ? classes.asked : classes.answered} aria-label={asked ? "Question" : "Answer"}>
      {turn.text !== "" && <Text size="sm" className={classes.text}>{turn.text}</Text>}
      {running && (
        <Group gap="xs" mt={turn.text ? 6 : 0}>
          <Loader size={14} type="dots" aria-hidden />
          <Text size="xs" c="dimmed">
            {turn.text ? "Answering" : "Waiting for the first word"}
          </Text>
        </Group>
      )}
      {turn.stopped && (
        <Text size="xs" c="dimmed" mt={6}>
          Stopped. What the provider made until then is in the ledger.
        </Text>
      )}
      {turn.error && (
        <Box mt={turn.text ? "xs" : 0}>
          <ProblemAlert error={turn.error} title="No answer" onRetry={onRetry} />
        </Box>
      )}
      {turn.answer && <Facts answer={turn.answer} own={own} empty={turn.text === ""} />}
    </Box>
  );
}

function Facts({ answer, own, empty }: { answer: Answer; own: boolean; empty: boolean }) {
  const seesRequests = useMay("read gateway");
  const record = useQuery({ ...ownRequestQuery(answer.requestId), enabled: own && answer.requestId !== "" });
  const parts = [
    answer.model && answer.provider && `${answer.model} at ${answer.provider}`,
    answer.inputTokens !== null &&
      answer.outputTokens !== null &&
      `${countExact(answer.inputTokens)} tokens in, ${countExact(answer.outputTokens)} out`,
    answer.firstChunkMs !== null && `first word after ${duration(answer.firstChunkMs)}`,
    `${duration(answer.durationMs)} in all`,
    answer.attempts > 1 && `${answer.attempts} attempts`,
    answer.credential === "byok" && "your own key",
    answer.finishReason && answer.finishReason !== "stop" && `ended by ${answer.finishReason.replaceAll("_", " ")}`,
    answer.dropped && `left out: ${answer.dropped}`,
  ].filter(Boolean);
  return (
    <>
      {empty && (
        <Text size="sm" c="dimmed">
          The answer had no text.
        </Text>
      )}
      <Group gap={6} mt="xs" className={classes.facts}>
        {record.data && (
          <CostCell
            usd={record.data.cost_usd}
            source={record.data.cost_source}
            note={record.data.cost_note}
            priceSource={record.data.price_source}
          />
        )}
        <Text size="xs" c="dimmed" className="oc-figures">
          {parts.join(" · ")}
        </Text>
        {seesRequests && answer.requestId && (
          <Anchor size="xs" renderRoot={(props) => <Link to="/admin/requests" search={{ request: answer.requestId }} {...props} />}>
            Open request
          </Anchor>
        )}
      </Group>
    </>
  );
}

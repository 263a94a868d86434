/** One question to this very gateway, as any application would ask it: OpenAI's chat completions, streamed or not. */
import { EventSourceParserStream } from "eventsource-parser/stream";

import { ApiError } from "@/api/request";

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface Question {
  model: string;
  messages: Message[];
  stream: boolean;
  temperature?: number;
  max_tokens?: number;
}

/** What the answer's headers and its body say of it; tokens are null when the provider reported none. */
export interface Answer {
  requestId: string;
  provider: string | null;
  model: string | null;
  credential: string | null;
  attempts: number;
  /** Parameters that were left out because the provider does not take them. */
  dropped: string | null;
  /** Seconds are measured here, in the browser; milliseconds. */
  firstChunkMs: number | null;
  durationMs: number;
  inputTokens: number | null;
  outputTokens: number | null;
  finishReason: string | null;
}

interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
}

interface Body {
  choices?: {
    finish_reason?: string | null;
    delta?: { content?: string | null; refusal?: string | null };
    message?: { content?: string | null; refusal?: string | null };
  }[];
  usage?: Usage | null;
  error?: { type?: string; message?: string };
}

/** The body as it is sent; also what "Copy as curl" shows. */
export function bodyOf(question: Question): Record<string, unknown> {
  return question.stream ? { ...question, stream_options: { include_usage: true } } : { ...question };
}

/**
 * Asks, and hands on the text as it arrives.
 * Throws `ApiError` with the gateway's own words, or AbortError when `signal` said stop.
 */
export async function ask(
  secret: string,
  question: Question,
  powerLevel: string | null,
  onText: (piece: string) => void,
  signal: AbortSignal,
): Promise<Answer> {
  const started = performance.now();
  const response = await send(secret, question, powerLevel, signal);
  const header = (name: string): string | null => response.headers.get(name);
  const answer: Answer = {
    requestId: header("x-request-id") ?? "",
    provider: header("x-ops-provider"),
    model: header("x-ops-model"),
    credential: header("x-ops-credential"),
    attempts: Number(header("x-ops-attempts") ?? 0),
    dropped: header("x-ops-dropped"),
    firstChunkMs: null,
    durationMs: 0,
    inputTokens: null,
    outputTokens: null,
    finishReason: null,
  };
  const read = (body: Body): void => {
    if (body.error) throw new ApiError(response.status, body.error.type ?? "api_error", body.error.message ?? "The answer broke off");
    const [choice] = body.choices ?? [];
    const said = choice?.delta ?? choice?.message;
    const text = said?.content ?? said?.refusal;
    if (text) {
      answer.firstChunkMs ??= performance.now() - started;
      onText(text);
    }
    answer.finishReason = choice?.finish_reason ?? answer.finishReason;
    answer.inputTokens = body.usage?.prompt_tokens ?? answer.inputTokens;
    answer.outputTokens = body.usage?.completion_tokens ?? answer.outputTokens;
  };
  if (!response.ok) throw await refusal(response);
  if (question.stream && response.body) {
    for await (const data of events(response.body)) {
      if (data !== "[DONE]") read(JSON.parse(data) as Body);
    }
  } else {
    read((await response.json()) as Body);
  }
  answer.durationMs = performance.now() - started;
  return answer;
}

async function send(secret: string, question: Question, powerLevel: string | null, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch("/v1/chat/completions", {
      method: "POST",
      credentials: "omit",
      headers: {
        authorization: `Bearer ${secret}`,
        "content-type": "application/json",
        ...(powerLevel ? { "x-power-level": powerLevel } : {}),
      },
      body: JSON.stringify(bodyOf(question)),
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError(0, "unreachable", "The server did not answer", "It may be restarting: try again.");
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as Body;
  return new ApiError(
    response.status,
    body.error?.type ?? "http_error",
    body.error?.message ?? `The server answered ${response.status}`,
  );
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value.data;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** The same question for a terminal; `key` is a placeholder, never the secret in use. */
export function asCurl(origin: string, key: string, question: Question, powerLevel: string | null): string {
  const quoted = JSON.stringify(bodyOf(question), null, 2).replaceAll("'", String.raw`'\''`);
  return [
    `curl ${origin}/v1/chat/completions \\`,
    `  -H "Authorization: Bearer ${key}" \\`,
    `  -H "Content-Type: application/json" \\`,
    ...(powerLevel ? [`  -H "x-power-level: ${powerLevel}" \\`] : []),
    `  -d '${quoted}'`,
  ].join("\n");
}

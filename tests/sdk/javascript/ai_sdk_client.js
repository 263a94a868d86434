// The Vercel AI SDK, over the provider package named by the argument: openai-compatible, openai or anthropic.

import assert from 'node:assert/strict';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { embedMany, generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { aPlace, dimensions, hello, key, long, run, url, weatherOfTwo, weathers } from './scenarios.js';

const how = { baseURL: `${url}/v1`, apiKey: key };
const provider = {
  'openai-compatible': () =>
    createOpenAICompatible({ name: 'ops-center', includeUsage: true, supportsStructuredOutputs: true, ...how }),
  openai: () => createOpenAI(how), // speaks /v1/responses
  anthropic: () => createAnthropic(how),
}[process.argv[2]]();
const settings = (model) => ({
  model: provider(model),
  maxRetries: 0,
  maxOutputTokens: 300,
  // Else it sends references to earlier items instead of the items, which only their maker could look up.
  providerOptions: { openai: { store: false } },
});
const tools = {
  weather: tool({
    description: 'The weather of a city',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`,
  }),
};

await run({
  chat: async (model) => {
    const answer = await generateText({ ...settings(model), instructions: 'Be brief.', prompt: hello });
    assert.equal(answer.text, 'hello there');
    assert.equal(answer.finishReason, 'stop');
    assert.equal(answer.usage.outputTokens, 3);
  },

  stream: async (model) => {
    const answer = streamText({ ...settings(model), prompt: `say: ${long}`, onError: () => {} });
    let text = '';
    for await (const delta of answer.textStream) text += delta;
    assert.equal(text, long);
    assert.equal((await answer.usage).outputTokens, 30);
  },

  'tools over several turns': async (model) => {
    const messages = [{ role: 'user', content: weatherOfTwo }];
    const first = streamText({ ...settings(model), messages, tools, stopWhen: stepCountIs(3) });
    assert.equal(await first.text, weathers);
    const second = await generateText({
      ...settings(model),
      messages: [...messages, ...(await first.response).messages, { role: 'user', content: 'say: bye' }],
      tools,
    });
    assert.equal(second.text, 'bye');
  },

  'structured output': async (model) => {
    const place = z.object({ name: z.string(), people: z.int() });
    const answer = await generateText({ ...settings(model), output: Output.object({ schema: place }), prompt: 'Rome' });
    assert.deepEqual(answer.output, aPlace);
  },

  ...(process.argv[2] !== 'anthropic' && {
    embeddings: async (model) => {
      const { embeddings } = await embedMany({
        model: provider.embeddingModel(model),
        values: ['a fox', 'a dog'],
        maxRetries: 0,
      });
      assert.deepEqual(embeddings.map((vector) => vector.length), [dimensions, dimensions]);
    },
  }),
});

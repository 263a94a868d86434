// The official `openai` client.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { aPlace, dimensions, hello, key, long, run, url, weatherOfTwo, weathers, weatherSchema } from './scenarios.js';

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000 });
const user = (content) => ({ role: 'user', content });
const tools = [{ type: 'function', function: { name: 'weather', parameters: weatherSchema } }];

await run({
  chat: async (model) => {
    const answer = await client.chat.completions.create({
      model,
      messages: [{ role: 'system', content: 'Be brief.' }, user(hello)],
      max_tokens: 100,
    });
    assert.equal(answer.choices[0].message.content, 'hello there');
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.equal(answer.usage.completion_tokens, 3);
  },

  stream: async (model) => {
    const stream = client.chat.completions.stream({
      model,
      messages: [user(`say: ${long}`)],
      stream_options: { include_usage: true },
      max_tokens: 100,
    });
    let text = '';
    stream.on('content', (delta) => (text += delta));
    const final = await stream.finalChatCompletion();
    assert.equal(text, long);
    assert.equal(final.choices[0].message.content, long);
    assert.equal((await stream.totalUsage()).completion_tokens, 30);
  },

  'tools over several turns': async (model) => {
    const turns = [user(weatherOfTwo)];
    const ask = async () => {
      const stream = client.chat.completions.stream({ model, messages: turns, tools, max_tokens: 300 });
      const [choice] = (await stream.finalChatCompletion()).choices;
      turns.push(choice.message);
      return choice;
    };
    const asked = await ask();
    assert.equal(asked.finish_reason, 'tool_calls');
    for (const call of asked.message.tool_calls) {
      const { city } = JSON.parse(call.function.arguments);
      turns.push({ role: 'tool', tool_call_id: call.id, content: `sunny in ${city}` });
    }
    assert.equal((await ask()).message.content, weathers);
    turns.push(user('say: bye'));
    assert.equal((await ask()).message.content, 'bye');
  },

  'structured output': async (model) => {
    const place = z.object({ name: z.string(), people: z.int() });
    const answer = await client.chat.completions.parse({
      model,
      messages: [user('Rome')],
      response_format: zodResponseFormat(place, 'place'),
    });
    assert.deepEqual(answer.choices[0].message.parsed, aPlace);
  },

  embeddings: async (model) => {
    const answer = await client.embeddings.create({ model, input: ['a fox', 'a dog'] });
    assert.deepEqual(answer.data.map((one) => one.embedding.length), [dimensions, dimensions]);
  },
});

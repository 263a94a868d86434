// The official `@anthropic-ai/sdk` client.

import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';
import { aPlace, hello, key, long, run, url, weatherOfTwo, weathers, weatherSchema } from './scenarios.js';

const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, timeout: 20_000 });
const user = (content) => ({ role: 'user', content });
const tools = [{ name: 'weather', input_schema: weatherSchema }];
const texts = (message) => message.content.flatMap((block) => (block.type === 'text' ? [block.text] : []));

await run({
  chat: async (model) => {
    const answer = await client.messages.create({
      model,
      max_tokens: 100,
      system: 'Be brief.',
      messages: [user(hello)],
    });
    assert.deepEqual(texts(answer), ['hello there']);
    assert.equal(answer.stop_reason, 'end_turn');
    assert.equal(answer.usage.output_tokens, 3);
  },

  stream: async (model) => {
    const stream = client.messages.stream({ model, max_tokens: 100, messages: [user(`say: ${long}`)] });
    let text = '';
    stream.on('text', (delta) => (text += delta));
    const final = await stream.finalMessage();
    assert.equal(text, long);
    assert.equal(final.usage.output_tokens, 30);
  },

  'tools over several turns': async (model) => {
    const turns = [user(weatherOfTwo)];
    const ask = async () => {
      const answer = await client.messages.stream({ model, max_tokens: 300, messages: turns, tools }).finalMessage();
      turns.push({ role: 'assistant', content: answer.content });
      return answer;
    };
    const asked = await ask();
    assert.equal(asked.stop_reason, 'tool_use');
    const calls = asked.content.filter((block) => block.type === 'tool_use');
    turns.push(
      user(calls.map(({ id, input }) => ({ type: 'tool_result', tool_use_id: id, content: `sunny in ${input.city}` }))),
    );
    assert.deepEqual(texts(await ask()), [weathers]);
    turns.push(user('say: bye'));
    assert.deepEqual(texts(await ask()), ['bye']);
  },

  'structured output': async (model) => {
    const place = z.object({ name: z.string(), people: z.int() });
    const answer = await client.messages.parse({
      model,
      max_tokens: 100,
      messages: [user('Rome')],
      output_config: { format: zodOutputFormat(place) },
    });
    assert.deepEqual(answer.parsed_output, aPlace);
  },
});

// The same scenarios and the same lines of JSON as ../python/scenarios.py.

export const url = process.env.OPS_CENTER_URL;
export const key = process.env.OPS_CENTER_KEY;

export const hello = 'say: hello there';
export const long = 'abcd'.repeat(30);
export const weatherOfTwo = 'weather({"city": "Paris"}) and weather({"city": "Rome"})';
export const weathers = 'The tools answered: sunny in Paris; sunny in Rome';
export const aPlace = { name: 'text', people: 1 };
export const dimensions = 1536;
export const weatherSchema = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};

/** Runs each check with each model's name; `checks` is an object of async functions by scenario. */
export async function run(checks) {
  for (const [scenario, check] of Object.entries(checks)) {
    const models = scenario === 'embeddings' ? 'OPS_CENTER_EMBEDDING_MODELS' : 'OPS_CENTER_MODELS';
    for (const model of process.env[models].split(' ')) {
      let error = null;
      try {
        await check(model);
      } catch (problem) {
        error = `${problem?.stack ?? problem}`.slice(0, 6000);
      }
      console.log(JSON.stringify({ scenario, model, error }));
    }
  }
}

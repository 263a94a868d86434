/** The first request in four tongues, with this very address and key. */

export interface Snippet {
  value: string;
  label: string;
  code: string;
}

/** `origin` has no path ("https://ops.example.com"); `key` is a fresh secret or a placeholder. */
export function snippets(origin: string, key: string, model = "auto"): Snippet[] {
  return [
    {
      value: "curl",
      label: "curl",
      code: `curl ${origin}/v1/chat/completions \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello"}]}'`,
    },
    {
      value: "python",
      label: "Python",
      code: `from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key="${key}")
answer = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`,
    },
    {
      value: "javascript",
      label: "JavaScript",
      code: `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${origin}/v1", apiKey: "${key}" });
const answer = await client.chat.completions.create({
  model: "${model}",
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.choices[0].message.content);`,
    },
    {
      value: "anthropic",
      label: "Anthropic (Python)",
      code: `from anthropic import Anthropic

client = Anthropic(base_url="${origin}", api_key="${key}")
message = client.messages.create(
    model="${model}",
    max_tokens=200,
    messages=[{"role": "user", "content": "Hello"}],
)
print(message.content[0].text)`,
    },
  ];
}

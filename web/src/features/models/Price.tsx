/** What a model costs, in a cell, with everything else that is known of it in the tooltip. */
import { Stack, Text, Tooltip } from "@mantine/core";

import type { Model } from "@/api/types";
import { count, money } from "@/format/format";

import { sourceLabel } from "./words";

export function Price({ model }: { model: Model }) {
  const { price } = model;
  if (!price) {
    return (
      <Tooltip label="Calls to it are recorded with an unknown cost until a price is set.">
        <Text size="sm" c="dimmed" component="span">
          unknown
        </Text>
      </Tooltip>
    );
  }
  const source = sourceLabel(model.sources.price);
  return (
    <Tooltip multiline maw={360} label={`${restOfPrice(price)}From: ${source}${price.source === "override" ? `, ${price.as_of}` : ""}.`}>
      <Stack gap={0} miw={130}>
        <Text size="sm" className="oc-figures">
          {short(price)}
        </Text>
        <Text size="xs" c="dimmed">
          {source}
        </Text>
      </Stack>
    </Tooltip>
  );
}

/** What is billed by the minute alone has no price of tokens to show. */
function short(price: NonNullable<Model["price"]>): string {
  const { input_mtok, output_mtok, input_audio_minute_usd: minute } = price;
  if (minute !== null && input_mtok === 0 && output_mtok === 0) return `${money(minute)} a minute`;
  const more = price.tiered || price.request_usd > 0 || minute !== null;
  return `${money(input_mtok)} / ${money(output_mtok)}${more ? " +" : ""}`;
}

function restOfPrice(price: NonNullable<Model["price"]>): string {
  const said = [
    price.cache_read_mtok !== null && `Cached input ${money(price.cache_read_mtok)}`,
    price.cache_write_mtok !== null && `cache writes ${money(price.cache_write_mtok)}`,
    price.cache_write_1h_mtok !== null && `one-hour cache writes ${money(price.cache_write_1h_mtok)}`,
    price.reasoning_mtok !== null && `reasoning ${money(price.reasoning_mtok)}`,
    ...price.tiers.map(
      (tier) =>
        `above ${count(tier.above_input_tokens)} input tokens ${money(tier.input_mtok)} / ${money(tier.output_mtok)}`,
    ),
  ].filter(Boolean);
  const { input_audio_minute_usd: minute, request_usd: request, web_search_usd: search } = price;
  return [
    said.length > 0 && `${said.join(", ")} per 1M. `,
    minute !== null && `Each minute of sound ${money(minute)}. `,
    request > 0 && `Each request ${money(request)} more. `,
    search !== null && `Each web search of the provider's own tool ${money(search)}. `,
  ]
    .filter(Boolean)
    .join("");
}

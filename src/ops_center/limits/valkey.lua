-- The limits of all processes in one place: one script, so that each call is one atomic step.
-- Every key begins with the prefix in ARGV[1]; times are the server's own.
--
--   <prefix>b:<counter>:<period>   hash: spent, reserved, seeded
--   <prefix>r:<counter>            hash: running, requests, tokens, swept, q<second>, t<second>
--   <prefix>w:<counter>            sorted set: API key that waits -> its place, higher after each turn
--   <prefix>s:<counter>            sorted set: the same key -> when it was last heard of
--   <prefix>leases                 sorted set: reservation -> when it lapses
--   <prefix>lease:<reservation>    its holds, as JSON
--
-- A reservation whose process no longer renews it lapses, and what it held is given back.

local prefix = ARGV[1]
local call = cjson.decode(ARGV[2])
local time = redis.call('TIME')
local second = tonumber(time[1])
local now = second * 1000 + math.floor(tonumber(time[2]) / 1000)
local leases = prefix .. 'leases'

local function release(id)
  local lease = redis.call('GET', prefix .. 'lease:' .. id)
  if not lease then return nil end
  local held = cjson.decode(lease)
  for _, hold in ipairs(held.budgets) do
    redis.call('HINCRBY', prefix .. 'b:' .. hold[1], 'reserved', string.format('%.0f', -hold[2]))
  end
  for _, counter in ipairs(held.rates) do
    redis.call('HINCRBY', prefix .. 'r:' .. counter, 'running', -1)
  end
  redis.call('DEL', prefix .. 'lease:' .. id)
  redis.call('ZREM', leases, id)
  return held
end

local function lapse()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)) do
    release(id)
    redis.call('ZREM', leases, id)
  end
end

-- Forget what left the window. A second counts until it lies wholly outside.
local function sweep(key)
  local swept = tonumber(redis.call('HGET', key, 'swept') or '0')
  local gone = second - 61
  if swept >= gone then return end
  local fields, drop = {}, {}
  -- At the last sweep nothing was younger than 61 seconds after `swept`, and nothing came since.
  for s = swept + 1, swept == 0 and 0 or math.min(gone, swept + 61) do
    fields[#fields + 1] = 'q' .. s
    fields[#fields + 1] = 't' .. s
  end
  local found = #fields > 0 and redis.call('HMGET', key, unpack(fields)) or {}
  local requests, tokens = 0, 0
  for i, value in ipairs(found) do
    if value then
      drop[#drop + 1] = fields[i]
      if i % 2 == 1 then requests = requests + tonumber(value) else tokens = tokens + tonumber(value) end
    end
  end
  if #drop > 0 then redis.call('HDEL', key, unpack(drop)) end
  if requests ~= 0 then redis.call('HINCRBY', key, 'requests', -requests) end
  if tokens ~= 0 then redis.call('HINCRBY', key, 'tokens', string.format('%.0f', -tokens)) end
  redis.call('HSET', key, 'swept', gone)
end

-- Milliseconds until no more than `room` of what is in the window is left in it.
local function free_in(key, field, sum, room)
  local fields = {}
  for s = second - 60, second do fields[#fields + 1] = field .. s end
  for i, value in ipairs(redis.call('HMGET', key, unpack(fields))) do
    if value then
      sum = sum - tonumber(value)
      if sum <= room then return (second - 61 + i + 61) * 1000 - now end
    end
  end
  return 60000
end

-- Who waits under a counter in any process. A process names its own at each call; who is not named any more left.
local function wait_in_line(line)
  local waits, seen = prefix .. 'w:' .. line.counter, prefix .. 's:' .. line.counter
  for _, key in ipairs(line.keys) do
    if not redis.call('ZSCORE', waits, key) then redis.call('ZADD', waits, redis.call('INCR', prefix .. 'turns'), key) end
    redis.call('ZADD', seen, now, key)
  end
  for _, name in ipairs({ waits, seen }) do redis.call('PEXPIRE', name, 60000) end
end

-- The key whose turn it is under a counter; nil where nobody waits.
local function turn_under(counter)
  local waits, seen = prefix .. 'w:' .. counter, prefix .. 's:' .. counter
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', now - call.silence_ms)) do
    redis.call('ZREM', waits, key)
    redis.call('ZREM', seen, key)
  end
  return redis.call('ZRANGE', waits, 0, 0)[1]
end

if call.op == 'reserve' then
  lapse()
  if call.line then wait_in_line(call.line) end
  local budgets, held, spent_providers = {}, {}, {}
  for place, budget in ipairs(call.budgets) do
    local key = prefix .. 'b:' .. budget.key
    local found = redis.call('HMGET', key, 'spent', 'reserved')
    local spent, reserved = tonumber(found[1] or '0'), tonumber(found[2] or '0')
    budgets[place] = { spent, reserved }
    local left = budget.amount - spent - reserved
    local fits = left > 0 and (budget.most <= left or (reserved <= 0 and budget.expected <= left))
    if not fits then
      if budget.provider == '' then
        return cjson.encode({ refused = 'budget', place = place - 1, spent = spent, reserved = reserved })
      end
      spent_providers[budget.provider] = true
    end
  end
  local state = {}
  for place, rate in ipairs(call.rates) do
    local key = prefix .. 'r:' .. rate.counter
    sweep(key)
    local found = redis.call('HMGET', key, 'running', 'requests', 'tokens')
    state[place] = { tonumber(found[1] or '0'), tonumber(found[2] or '0'), tonumber(found[3] or '0') }
  end
  local function pace()
    local facts = {}
    for place, rate in ipairs(call.rates) do
      local key, s = prefix .. 'r:' .. rate.counter, state[place]
      facts[place] = {
        s[2], s[3],
        rate.requests >= 0 and free_in(key, 'q', s[2], s[2] - 1) or 0,
        rate.tokens >= 0 and free_in(key, 't', s[3], s[3] - 1) or 0,
      }
    end
    return facts
  end
  for place, rate in ipairs(call.rates) do
    local key, s = prefix .. 'r:' .. rate.counter, state[place]
    local why, wait
    local turn = call.queues and turn_under(rate.counter)
    if turn and turn ~= call.key then
      return cjson.encode({ refused = 'turn', turn = turn, place = place - 1, wait = 1000, pace = pace() })
    end
    if rate.running >= 0 and s[1] >= rate.running then
      why, wait = 'running', 1000
    elseif rate.requests >= 0 and s[2] >= rate.requests then
      why, wait = 'requests', free_in(key, 'q', s[2], rate.requests - 1)
    elseif rate.tokens >= 0 and s[3] + call.tokens > rate.tokens then
      why, wait = 'tokens', free_in(key, 't', s[3], rate.tokens - call.tokens)
    end
    if why then
      return cjson.encode({ refused = why, place = place - 1, wait = wait, pace = pace() })
    end
  end
  for place, budget in ipairs(call.budgets) do
    if not spent_providers[budget.provider] then
      local key = prefix .. 'b:' .. budget.key
      redis.call('HINCRBY', key, 'reserved', string.format('%.0f', budget.most))
      redis.call('EXPIREAT', key, budget.forget_at)
      held[#held + 1] = { budget.key, budget.most }
    end
  end
  local counters = {}
  for place, rate in ipairs(call.rates) do
    local key = prefix .. 'r:' .. rate.counter
    counters[place] = rate.counter
    redis.call('HINCRBY', key, 'running', 1)
    if rate.requests >= 0 then
      redis.call('HINCRBY', key, 'q' .. second, 1)
      state[place][2] = redis.call('HINCRBY', key, 'requests', 1)
    end
    if rate.tokens >= 0 then
      redis.call('HINCRBY', key, 't' .. second, call.tokens)
      state[place][3] = redis.call('HINCRBY', key, 'tokens', call.tokens)
    end
    redis.call('EXPIRE', key, 86400)
  end
  if call.line then
    local waits = prefix .. 'w:' .. call.line.counter
    if call.line.last then
      redis.call('ZREM', waits, call.key)
    else
      redis.call('ZADD', waits, 'XX', redis.call('INCR', prefix .. 'turns'), call.key)
    end
  end
  redis.call('SET', prefix .. 'lease:' .. call.id, cjson.encode({ budgets = held, rates = counters }), 'EX', 86400)
  redis.call('ZADD', leases, now + call.lease_ms, call.id)
  local names = {}
  for provider in pairs(spent_providers) do names[#names + 1] = provider end
  return cjson.encode({ held = budgets, spent_providers = names, second = second, pace = pace() })
end

if call.op == 'settle' then
  local lease = release(call.id)
  for _, key in ipairs(call.budgets) do
    if call.cost ~= 0 then redis.call('HINCRBY', prefix .. 'b:' .. key, 'spent', string.format('%.0f', call.cost)) end
  end
  for _, counter in ipairs(call.metered) do
    local key = prefix .. 'r:' .. counter
    if redis.call('HEXISTS', key, 't' .. call.second) == 1 then
      redis.call('HINCRBY', key, 't' .. call.second, call.correction)
      redis.call('HINCRBY', key, 'tokens', call.correction)
    end
  end
  return lease and 1 or 0
end

if call.op == 'renew' then
  for _, id in ipairs(call.ids) do
    redis.call('ZADD', leases, 'XX', now + call.lease_ms, id)
  end
  lapse()
  return 1
end

if call.op == 'add_spent' then
  local key = prefix .. 'b:' .. call.key
  redis.call('HINCRBY', key, 'spent', string.format('%.0f', call.amount))
  redis.call('HSET', key, 'seeded', 1)
  redis.call('EXPIREAT', key, call.forget_at)
  return 1
end

return redis.error_reply('unknown op')

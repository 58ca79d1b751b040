-- Part 6: the clock, what is remembered of messages and of the call, the answer,
-- and the announcement.
--
-- Needs all that the parts before have found.

if ended then
  redis.call('HSET', epochsKey, ended, wire)
  -- A store that restarts for ever remembers the last of its epochs.
  if redis.call('HLEN', epochsKey) > 100 then
    local oldest, number
    for _, e in ipairs(redis.call('HKEYS', epochsKey)) do
      local n = numberOf(e)
      if not number or n < number then
        oldest, number = e, n
      end
    end
    redis.call('HDEL', epochsKey, oldest)
  end
end
redis.call('HSET', clockKey, 'last', position, 'epoch', epoch, 'run', run, 'began', began)

local words = { epoch, began, position, string.format('%.0f', now) }
local epochs = epoch ~= ARGV[4] and redis.call('HGETALL', epochsKey) or {}
words[#words + 1] = #epochs / 2
for i = 1, #epochs do
  words[#words + 1] = epochs[i]
end
for g = 1, groupCount do
  local group = groups[g]
  words[#words + 1] = group.verdict
  if group.verdict == 'ok' then
    for i = 1, #group do
      local m = group[i]
      local first = m.first
      if first then
        m.answer = first.answer or epoch .. '@' .. first.at
      elseif m.at and m.once then
        redis.call('SET', m.once, m.digest .. epoch .. '@' .. m.at, 'PX', onceMS)
      end
      local word = m.answer or m.at
      if m.known then
        word = m.known .. '*' .. (m.before.answer or epoch .. '@' .. m.before.at) .. ',' .. word
      end
      words[#words + 1] = word
    end
  end
end
for key, m in pairs(highestHere) do
  redis.call('HSET', key, 'last', string.format('%.0f', m.seq), 'answer', m.answer or epoch .. '@' .. m.at)
  redis.call('PEXPIRE', key, seqMS)
end
local answer = table.concat(words, ' ')
if call > 0 then
  redis.call('HSET', laneKey, 'call', ARGV[2], 'answer', answer)
  redis.call('PEXPIRE', laneKey, 600000)
end

local head = { epoch, run, ARGV[11], ARGV[2], wire, position, string.format('%.0f', announced) }
for i = 1, #head do
  head[i] = #head[i] .. ':' .. head[i]
end
parts[1] = table.concat(head)
redis.call('PUBLISH', ARGV[10], table.concat(parts))
return answer

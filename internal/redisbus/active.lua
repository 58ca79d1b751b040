-- Says which of the topics had something at or after a moment. Of a topic that
-- is not in the books, all up to the forgotten position may have been dropped
-- since. It writes nothing.
--
-- KEYS  1 clock  2 topics
-- ARGV  1 milliseconds  then the topics
-- Returns the epoch, the position of the clock and the numbers of those topics,
-- or {} if this server is not the one that wrote last.

local clock = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'last', 'forgotten')
if not clock[1] or clock[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return {}
end
local active = { clock[1], clock[3] }
local since = tonumber(ARGV[1])
local forgotten = string.match(clock[4] or '0-0', '^%d+')
for i = 2, #ARGV do
  local last = redis.call('ZSCORE', KEYS[2], ARGV[i]) or forgotten
  if tonumber(last) >= since then
    active[#active + 1] = i - 1
  end
end
return active

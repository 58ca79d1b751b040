-- Lists a page of the topics that had something at or after a moment, in the order
-- of their last events. It writes nothing.
--
-- KEYS  1 clock  2 topics
-- ARGV  1 milliseconds  2 the most topics
-- Returns the epoch, the position of the clock, the forgotten position, the
-- milliseconds of the last topic of the page, and the topics; or {} if this server
-- is not the one that wrote last.

local clock = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'last', 'forgotten')
if not clock[1] or clock[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return {}
end
local found = redis.call('ZRANGE', KEYS[2], ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[2])
local last = #found > 0 and tonumber(redis.call('ZSCORE', KEYS[2], found[#found])) or 0
local answer = { clock[1], clock[3], clock[4] or '0-0', last }
for i = 1, #found do
  answer[4 + i] = found[i]
end
return answer

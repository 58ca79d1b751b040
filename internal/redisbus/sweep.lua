-- Drops topics of which everything has expired from the books, and remembers
-- up to where there may have been events of topics that nobody knows any more.
--
-- KEYS  1 clock  2 topics  3 names  4 due  then of each topic its log and its
--       meta, and what a table has now, and its nulls
-- ARGV  1 milliseconds that events are kept  then the names of the topics
-- Returns how many were dropped.

local clock = redis.call('HMGET', KEYS[1], 'epoch', 'forgotten')
if not clock[1] then
  return 0
end
local time = redis.call('TIME')
local old = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) - tonumber(ARGV[1])
local ms, seq = string.match(clock[2] or '0-0', '^(%d+)-(%d+)$')
ms, seq = tonumber(ms), tonumber(seq)
local dropped = 0
for i = 2, #ARGV do
  local score = redis.call('ZSCORE', KEYS[2], ARGV[i])
  -- A lease that was prolonged may outlast the rest: then its end is still to come.
  if score and tonumber(score) < old and not redis.call('ZSCORE', KEYS[4], ARGV[i]) then
    local log, meta, now, nulls = KEYS[4 * i - 3], KEYS[4 * i - 2], KEYS[4 * i - 1], KEYS[4 * i]
    local last = redis.call('HGET', meta, 'last') or string.format('%.0f-34359738367', tonumber(score))
    local lms, lseq = string.match(last, '^(%d+)-(%d+)$')
    lms, lseq = tonumber(lms), tonumber(lseq)
    if lms > ms or lms == ms and lseq > seq then
      ms, seq = lms, lseq
    end
    redis.call('UNLINK', log, meta, now, nulls)
    redis.call('ZREM', KEYS[2], ARGV[i])
    redis.call('ZREM', KEYS[3], ARGV[i])
    dropped = dropped + 1
  end
end
redis.call('HSET', KEYS[1], 'forgotten', string.format('%.0f-%.0f', ms, seq))
return dropped
